package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/postern-zt/postern/platform/files"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations
var migrationFiles embed.FS

// readers is how many connections read beside the one that writes.
const readers = 4

// SQLite is the Store in a file of its own, for one broker.
type SQLite struct {
	w, r   *sql.DB
	accept *sql.Stmt // prepared, for it runs for each attestation of the fleet
}

var _ Store = (*SQLite)(nil)

// OpenSQLite opens the database at path, makes it when it is not there, and
// brings its schema up to date. It refuses, with files.ErrNotPrivate in the
// chain, a file that others may read and a folder that others may change:
// SQLite gives its -wal and -shm files beside it the mode of the database.
// ErrNewer is in the chain when a newer version wrote it.
func OpenSQLite(ctx context.Context, path string) (*SQLite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := makePrivate(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &SQLite{}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// makePrivate makes an empty file (mode 0600) for SQLite to fill, or checks
// the one that is there. It must not open it: closing any descriptor of a file
// drops the locks that this process holds on it (fcntl(2)).
func makePrivate(path string) error {
	if err := files.CheckDir(filepath.Dir(path)); err != nil {
		return err
	}
	err := files.CreateOwnerOnly(path, nil)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: %w", path, files.ErrNotPrivate)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, it must be 0600: %w", path, mode, files.ErrNotPrivate)
	}
	return nil
}

func (s *SQLite) open(ctx context.Context, path string) error {
	steps, err := readMigrations(migrationFiles, "migrations/sqlite")
	if err != nil {
		return err
	}
	if s.w, err = sql.Open("sqlite", dsn(path, "")); err != nil {
		return err
	}
	// SQLite lets one connection write at a time; waiting in Go is fairer and
	// cheaper than waiting in its busy handler.
	s.w.SetMaxOpenConns(1)
	if err := migrate(ctx, s.w, steps, time.Now().UnixMilli()); err != nil {
		return err
	}
	if s.accept, err = s.w.PrepareContext(ctx, acceptSQL); err != nil {
		return err
	}
	if s.r, err = sql.Open("sqlite", dsn(path, "query_only(1)")); err != nil {
		return err
	}
	s.r.SetMaxOpenConns(readers)
	s.r.SetMaxIdleConns(readers)
	return s.r.PingContext(ctx)
}

// dsn is path as an SQLite URI (sqlite.org/uri.html) with what each of its
// connections starts with.
func dsn(path, pragma string) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a drive letter
	}
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"},
	}
	if pragma != "" {
		q.Add("_pragma", pragma)
	}
	return (&url.URL{Scheme: "file", Path: p, RawQuery: q.Encode()}).String()
}

// Close implements Store. The writer goes last, so that it leaves the database
// in one file.
func (s *SQLite) Close() error {
	var errs []error
	if s.accept != nil {
		errs = append(errs, s.accept.Close())
	}
	if s.r != nil {
		errs = append(errs, s.r.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.Close())
	}
	return errors.Join(errs...)
}

// change runs f in one transaction that holds the write lock from its start.
// With synchronous=NORMAL its effect is whole after a crash of the program,
// but a power cut may lose the last commits.
func (s *SQLite) change(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	conn, err := s.w.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer conn.Close()
	return within(ctx, conn, doing, f)
}

// settle is change for what a power cut must not undo, such as a revocation:
// the commit, and all before it, is on the disk when it returns
// (sqlite.org/pragma.html, synchronous FULL in WAL mode).
func (s *SQLite) settle(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	conn, err := s.w.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `PRAGMA synchronous = FULL`); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = within(ctx, conn, doing, f)
	// If this does not work, commits stay slow and safe: nothing to report.
	conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA synchronous = NORMAL`)
	return err
}

func within(ctx context.Context, conn *sql.Conn, doing string, f func(tx *sql.Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// explain puts this package's word before what the database said.
func explain(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", ErrExists, err)
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	return err
}

// scanner is a row to read from.
type scanner interface{ Scan(dest ...any) error }

// list reads all rows of a query.
func list[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// one says ErrNotFound when a statement has changed nothing.
func one(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrNotFound
}
