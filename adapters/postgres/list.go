package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// dialect of lists.
var dialect = sqlrow.Dialect{
	Param: func(n int) string { return fmt.Sprintf("$%d", n) },
	Time:  func(t time.Time) any { return t },
	Text:  storable,
	MeanAge: func(now string) string {
		return fmt.Sprintf("(avg(extract(epoch FROM coalesce(ended_at, %s::timestamptz) - started_at)) * 1000000)::bigint", now)
	},
	Late: func(grace time.Duration, param func(any) string) string {
		return fmt.Sprintf("clock_timestamp() - %s * interval '1 microsecond'", param(grace.Microseconds()))
	},
	Columns: rowColumns,
}

// totalsSQL: seconds are durations for a terminal status, else start times.
const totalsSQL = `
SELECT type, status, priority, sum(n)::bigint, (1000000 / sum(n) * CASE
	WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN sum(seconds)
	ELSE sum(n) * extract(epoch FROM $1::timestamptz) - sum(seconds) END)::bigint
FROM totals GROUP BY type, status, priority HAVING sum(n) > 0`

// List gives a page and the summary.
func (s *Store) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	l, err := sqlrow.NewList(q, dialect)
	if err != nil {
		return ports.ListPage{}, err
	}
	all, err := list(ctx, s, scanTotal, totalsSQL, q.Now)
	if err != nil {
		return ports.ListPage{}, err
	}
	totals := l.Totals(all)
	summary := totals
	if !l.Answered() {
		sql, args := l.SummaryQuery(totals)
		if summary, err = list(ctx, s, scanSummary, sql, args...); err != nil {
			return ports.ListPage{}, err
		}
	}
	sql, args := l.PageQuery(totals)
	rows, err := list(ctx, s, row, sql, args...)
	if err != nil {
		return ports.ListPage{}, err
	}
	return l.Page(rows, summary), nil
}

// list runs a query. It is planned for its very parameters each time: how a
// list is best found depends on them.
func list[T any](ctx context.Context, s *Store, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, _ := s.pool.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, unavailable("list workflows", err)
	}
	return found, nil
}

func scanTotal(r pgx.CollectableRow) (sqlrow.Total, error) {
	var t sqlrow.Total
	var micros int64
	err := r.Scan(&t.Type, &t.Status, &t.Priority, &t.N, &micros)
	t.Age = time.Duration(micros) * time.Microsecond
	return t, err
}

func scanSummary(r pgx.CollectableRow) (sqlrow.Total, error) {
	var t sqlrow.Total
	var micros int64
	err := r.Scan(&t.Type, &t.Status, &t.N, &micros)
	t.Age = time.Duration(micros) * time.Microsecond
	return t, err
}
