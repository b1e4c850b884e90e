package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// migration is one numbered step of the schema.
type migration struct {
	number int
	sql    string
}

// readMigrations reads NNNN_name.sql files, which must count from 1 without a
// gap: a missing step would leave a schema nobody has tested.
func readMigrations(files fs.FS, dir string) ([]migration, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.sql"))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	slices.Sort(names)
	var steps []migration
	for i, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("read migrations: %s is not number %d", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		steps = append(steps, migration{i + 1, string(text)})
	}
	return steps, nil
}

// migrate brings the database up to the last step, one transaction a step.
// Each transaction begins IMMEDIATE and reads the version anew, so brokers
// that start at the same time wait for each other and do each step once.
func migrate(ctx context.Context, db *sql.DB, steps []migration, now int64) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (
		version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT`)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	for _, step := range steps {
		if err := apply(ctx, db, step, len(steps), now); err != nil {
			return err
		}
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, step migration, last int, now int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer tx.Rollback()
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_version`).Scan(&version); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if version > last {
		return fmt.Errorf("schema version %d, this program knows %d: %w", version, last, ErrNewer)
	}
	if version >= step.number {
		return nil
	}
	if _, err := tx.ExecContext(ctx, step.sql); err != nil {
		return fmt.Errorf("migrate to %d: %w", step.number, err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO schema_version VALUES (?, ?)`, step.number, now); err != nil {
		return fmt.Errorf("migrate to %d: %w", step.number, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate to %d: %w", step.number, err)
	}
	return nil
}
