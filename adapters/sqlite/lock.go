package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse: another coordinator has the file.
var ErrInUse = errors.New("sqlite: the database is in use by another coordinator")

// lockSuffix is added to the name of the database for the lock file.
const lockSuffix = "-lock"

// fileLock keeps other coordinators from a database for as long as it is held.
// It is an exclusive transaction on an empty database of its own: that is a
// lock on every system that SQLite knows, and the system frees it when the
// process dies.
type fileLock struct {
	db   *sql.DB
	conn *sql.Conn
}

func lockFile(ctx context.Context, path string) (*fileLock, error) {
	db, err := sql.Open("sqlite", fileURL(path+lockSuffix, "busy_timeout(0)"))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err == nil {
			return &fileLock{db, conn}, nil
		}
		conn.Close()
	}
	db.Close()
	var failure *sqlite.Error
	if errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_BUSY {
		return nil, fmt.Errorf("%w: %s", ErrInUse, path)
	}
	return nil, fmt.Errorf("sqlite: lock %s: %w", path, err)
}

func (l *fileLock) release() error {
	return errors.Join(l.conn.Close(), l.db.Close())
}
