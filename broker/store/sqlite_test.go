package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/postern-zt/postern/platform/files"
)

func openAt(t testing.TB, path string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) {
	Conformance(t, func(t *testing.T) Opener {
		path := filepath.Join(t.TempDir(), "broker.db")
		return func(t *testing.T) Store { return openAt(t, path) }
	})
}

// What a path may contain must not be read as part of the address.
func TestSQLitePath(t *testing.T) {
	names := []string{"plain", "with space", "a%41b", "a#b", "ümlaut"}
	if runtime.GOOS != "windows" {
		names = append(names, "a?mode=memory&x", `back\slash`)
	}
	for _, name := range names {
		path := filepath.Join(t.TempDir(), name)
		s := openAt(t, path)
		ok(t, s.AddDevice(t.Context(), device("d")))
		entries, err := os.ReadDir(filepath.Dir(path))
		ok(t, err)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), name) {
				t.Errorf("%q left a file %q", name, e.Name())
			}
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q is not where the database is: %v", name, err)
		}
	}
}

func TestSQLiteFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there are no modes
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "broker.db")
	s := openAt(t, path)
	ok(t, s.AddDevice(t.Context(), device("d")))
	entries, err := os.ReadDir(dir)
	ok(t, err)
	same(t, len(entries), 3) // the database, -wal and -shm
	for _, e := range entries {
		info, err := e.Info()
		ok(t, err)
		if info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	refused := func(path string) {
		t.Helper()
		s, err := OpenSQLite(t.Context(), path)
		if !errors.Is(err, files.ErrNotPrivate) {
			t.Errorf("open %s: %v, want it refused", path, err)
		}
		if s != nil {
			t.Errorf("open %s: a store with an error", path)
		}
	}
	loose := filepath.Join(dir, "loose.db")
	ok(t, os.WriteFile(loose, nil, 0o600))
	ok(t, os.Chmod(loose, 0o640))
	refused(loose)
	link := filepath.Join(dir, "link.db")
	ok(t, os.Symlink(path, link))
	refused(link)
	open := filepath.Join(t.TempDir(), "open")
	ok(t, os.Mkdir(open, 0o700))
	ok(t, os.Chmod(open, 0o777))
	refused(filepath.Join(open, "broker.db"))
}

func TestSQLiteKeepsAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.db")
	s, err := OpenSQLite(t.Context(), path)
	ok(t, err)
	ok(t, s.AddDevice(t.Context(), device("d")))
	ok(t, s.Close())
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is left beside the database: %v", err)
	}
	got, err := openAt(t, path).DeviceByID(t.Context(), "d")
	ok(t, err)
	same(t, got, device("d"))
}

func TestSQLiteSettings(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "broker.db"))
	pragma := func(db *sql.DB, name string) (value string) {
		t.Helper()
		ok(t, db.QueryRow("PRAGMA "+name).Scan(&value))
		return value
	}
	for _, db := range []*sql.DB{s.w, s.r} {
		same(t, []string{pragma(db, "journal_mode"), pragma(db, "foreign_keys"), pragma(db, "busy_timeout"), pragma(db, "synchronous")},
			[]string{"wal", "1", "5000", "1"})
	}
	if _, err := s.r.Exec(`DELETE FROM devices`); err == nil {
		t.Error("a reader may write")
	}
	// synchronous=FULL for what must last, and NORMAL again after it, even refused.
	var during string
	ok(t, s.settle(t.Context(), "look", func(tx *sql.Tx) error { return tx.QueryRow("PRAGMA synchronous").Scan(&during) }))
	same(t, during, "2")
	broken := errors.New("broken")
	want(t, s.settle(t.Context(), "look", func(*sql.Tx) error { return broken }), broken)
	same(t, pragma(s.w, "synchronous"), "1")
}

func TestSQLiteNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.db")
	s := openAt(t, path)
	_, err := s.w.Exec(`INSERT INTO schema_version VALUES (9999, 1)`)
	ok(t, err)
	_, err = OpenSQLite(t.Context(), path)
	want(t, err, ErrNewer)
}

func TestSQLiteRefusesGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.db")
	ok(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600))
	if _, err := OpenSQLite(t.Context(), path); err == nil {
		t.Fatal("garbage was opened")
	}
}

// Brokers that start at the same time on a new database all come up.
func TestSQLiteOpenedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.db")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := OpenSQLite(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestMigrate(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	good := fstest.MapFS{
		"m/0001_a.sql": file(`CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1)`),
		"m/0002_b.sql": file(`ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = 'new'`),
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(t.TempDir(), "m.db"), ""))
	ok(t, err)
	defer db.Close()
	steps, err := readMigrations(good, "m")
	ok(t, err)
	ok(t, migrate(t.Context(), db, steps[:1], 5))
	ok(t, migrate(t.Context(), db, steps, 6))
	ok(t, migrate(t.Context(), db, steps, 7))
	want(t, migrate(t.Context(), db, steps[:1], 8), ErrNewer)
	var applied, y string
	ok(t, db.QueryRow(`SELECT group_concat(version || '@' || applied_at) FROM schema_version`).Scan(&applied))
	ok(t, db.QueryRow(`SELECT y FROM a`).Scan(&y))
	same(t, []string{applied, y}, []string{"1@5,2@6", "new"})

	// A step that fails half way leaves the version before it, whole.
	good["m/0003_c.sql"] = file(`CREATE TABLE c (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1)`)
	steps, err = readMigrations(good, "m")
	ok(t, err)
	if err := migrate(t.Context(), db, steps, 9); err == nil {
		t.Fatal("a broken step passed")
	}
	var tables, version int
	ok(t, db.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name = 'c'`).Scan(&tables))
	ok(t, db.QueryRow(`SELECT MAX(version) FROM schema_version`).Scan(&version))
	same(t, []int{tables, version}, []int{0, 2})

	for _, bad := range []fstest.MapFS{
		{"m/0002_a.sql": file("")},
		{"m/0001_a.sql": file(""), "m/0003_a.sql": file("")},
		{"m/0001_a.sql": file(""), "m/0001_b.sql": file("")},
		{"m/first.sql": file("")},
	} {
		if _, err := readMigrations(bad, "m"); err == nil {
			t.Errorf("migrations %v were read", bad)
		}
	}
}

// Handles of sessions that are over do not pile up.
func TestSQLiteForgetsHandles(t *testing.T) {
	s, ctx := openAt(t, filepath.Join(t.TempDir(), "broker.db")), t.Context()
	ok(t, s.AddDevice(ctx, device("d")))
	ok(t, s.AddSession(ctx, session("old", "d")))
	ok(t, s.RotateHandle(ctx, "old", Hash("old/1"), Hash("old/2"), 3000))
	next := session("new", "d")
	next.Started, next.Ends = 100_001, 200_000
	ok(t, s.AddSession(ctx, next))
	_, _, err := s.SessionByHandle(ctx, Hash("old/2"))
	want(t, err, ErrNotFound)
	_, generation, err := s.SessionByHandle(ctx, next.Handle)
	ok(t, err)
	same(t, generation, HandleCurrent)
	_, err = s.SessionByID(ctx, "old")
	ok(t, err)
}

func BenchmarkAcceptAttestation(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "broker.db"))
	const fleet = 1000
	for i := range fleet {
		if err := s.AddDevice(b.Context(), device(fmt.Sprint("d", i))); err != nil {
			b.Fatal(err)
		}
	}
	report := []byte(strings.Repeat("x", 2048))
	for name, body := range map[string][]byte{"report": report, "renewal": nil} {
		b.Run(name, func(b *testing.B) {
			ctx, n := b.Context(), 0
			for i := range fleet {
				d, err := s.DeviceByID(ctx, fmt.Sprint("d", i))
				if err != nil {
					b.Fatal(err)
				}
				n = max(n, int(d.Seq))
				if d.Report != nil {
					continue
				}
				err = s.AcceptAttestation(ctx, Accept{DeviceID: d.ID, NonceGen: 1, Seq: 1, ReportDigest: "r", Report: report})
				if err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				n++
				a := Accept{DeviceID: fmt.Sprint("d", n%fleet), NonceGen: int64(n) + 1, Seq: int64(n) + 1, ReportDigest: "r", Report: body, Now: 1}
				if err := s.AcceptAttestation(ctx, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
