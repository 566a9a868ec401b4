package pgtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// maxRecycled is how many rows a test may leave for its schema to be used
// again: the remains of more would be in the way of the next one.
const maxRecycled = 2000

// free are the schemas that were emptied, by URL.
var free struct {
	sync.Mutex
	schemas []string
}

// Recycled gives a connection URL as Migrated does, but of a schema that an
// earlier test may have used and left empty: making one takes most of the time
// of a short test. It is not for tests that leave behind who still writes, nor
// for those that look at statistics.
func Recycled(tb testing.TB) string {
	tb.Helper()
	free.Lock()
	var dsn string
	if last := len(free.schemas) - 1; last >= 0 {
		dsn, free.schemas = free.schemas[last], free.schemas[:last]
	}
	free.Unlock()
	if dsn == "" {
		dsn = Migrated(tb)
	}
	tb.Cleanup(func() {
		if n, err := wipe(dsn); err == nil && n <= maxRecycled {
			free.Lock()
			free.schemas = append(free.schemas, dsn)
			free.Unlock()
		}
	})
	return dsn
}

// wipe removes every row but what says which migrations were applied, and
// reports how many.
func wipe(dsn string) (rows int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		tables, _ := tx.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'coordination_schema'`)
		names, err := pgx.CollectRows(tables, pgx.RowTo[string])
		for _, name := range names {
			tag, deleteErr := tx.Exec(ctx, "DELETE FROM "+pgx.Identifier{name}.Sanitize())
			if deleteErr != nil {
				return fmt.Errorf("empty %s: %w", name, deleteErr)
			}
			rows += tag.RowsAffected()
		}
		return err
	})
	return rows, err
}
