package peer

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // registers the driver
)

const sqliteSetting = "WAL, synchronous=FULL, cache 256 MiB, one writing connection, prepared statements"

var sqliteModernc = Peer{Name: "sqlite-modernc", Kind: Map, Version: "1.61.1", Setting: sqliteSetting, Open: openSQL("sqlite")}

// sqlStore is a table of keys and values.
type sqlStore struct {
	mu  sync.Mutex // one writer at a time, as SQLite has it: without it they would be told to wait
	db  *sql.DB
	put *sql.Stmt
	get *sql.Stmt
}

func openSQL(driver string) func(string, Options) (Store, error) {
	return func(dir string, _ Options) (Store, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		pragmas := "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-262144)&_pragma=busy_timeout(10000)"
		if driver == "sqlite3" {
			pragmas = "?_journal_mode=WAL&_synchronous=FULL&_cache_size=-262144&_busy_timeout=10000"
		}
		db, err := sql.Open(driver, "file:"+filepath.Join(dir, "db")+pragmas)
		if err != nil {
			return nil, err
		}
		s := &sqlStore{db: db}
		if err := s.prepare(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		return s, nil
	}
}

func (s *sqlStore) prepare() (err error) {
	if _, err = s.db.Exec("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID"); err != nil {
		return err
	}
	if s.put, err = s.db.Prepare("INSERT INTO kv (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v"); err != nil {
		return err
	}
	s.get, err = s.db.Prepare("SELECT v FROM kv WHERE k = ?")
	return err
}

func (s *sqlStore) Put(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.put.Exec(key, value)
	return err
}

func (s *sqlStore) PutAll(pairs []Pair) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	put := tx.Stmt(s.put)
	for _, p := range pairs {
		if _, err := put.Exec(p.Key, p.Value); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (s *sqlStore) Get(key []byte) (v []byte, err error) {
	err = s.get.QueryRow(key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNone
	}
	return v, err
}

func (s *sqlStore) Scan(fn func(key, value []byte) error) error {
	rows, err := s.db.Query("SELECT k, v FROM kv ORDER BY k")
	if err != nil {
		return err
	}
	defer rows.Close()
	var k, v sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&k, &v); err != nil {
			return err
		}
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Compact implements Compacter. VACUUM writes the log, which a checkpoint then empties.
func (s *sqlStore) Compact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.db.Exec("VACUUM"); err != nil {
		return err
	}
	_, err := s.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func (s *sqlStore) Close() error {
	return errors.Join(s.put.Close(), s.get.Close(), s.db.Close())
}
