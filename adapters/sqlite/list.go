package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// dialect of lists.
var dialect = sqlrow.Dialect{
	Param: func(n int) string { return fmt.Sprintf("?%d", n) },
	Time:  func(t time.Time) any { return t.UnixMicro() },
	Text:  func(s string) string { return s },
	MeanAge: func(now string) string {
		return fmt.Sprintf("CAST(avg(coalesce(ended_at, %s) - started_at) AS INTEGER)", now)
	},
	Late: func(grace time.Duration, param func(any) string) string {
		return param(now() - grace.Microseconds())
	},
	Columns: rowColumns,
}

// totalsSQL: ages are durations for a terminal status, else start times. They
// are divided before they are multiplied, since the sums are large.
const totalsSQL = `
SELECT type, status, priority, n, CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN 0 ELSE ?1 END
	+ (age_ms / n * 1000 + age_ms % n * 1000 / n) * CASE WHEN status IN ('COMPLETED', 'FAILED', 'CANCELLED') THEN 1 ELSE -1 END
FROM totals WHERE n > 0`

const countsSQL = `
SELECT bucket, type, name, label, n, total_us FROM counts
WHERE bucket >= ?1 AND bucket < ?2 AND (?3 = '' OR type = ?3) ORDER BY bucket, type, name, label`

// List gives a page and the summary.
func (s *Store) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	l, err := sqlrow.NewList(q, dialect)
	if err != nil {
		return ports.ListPage{}, err
	}
	all, err := query(ctx, s, "list workflows", scanTotal, totalsSQL, q.Now.UnixMicro())
	if err != nil {
		return ports.ListPage{}, err
	}
	totals := l.Totals(all)
	summary := totals
	if !l.Answered() {
		sql, args := l.SummaryQuery(totals)
		if summary, err = query(ctx, s, "list workflows", scanSummary, sql, args...); err != nil {
			return ports.ListPage{}, err
		}
	}
	sql, args := l.PageQuery(totals)
	rows, err := query(ctx, s, "list workflows", scanListed, sql, args...)
	if err != nil {
		return ports.ListPage{}, err
	}
	return l.Page(rows, summary), nil
}

// query reads all rows of a result.
func query[T any](ctx context.Context, s *Store, doing string, scan func(scanner) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := s.reads.QueryContext(ctx, sql, args...)
	if err != nil {
		return nil, unavailable(doing, err)
	}
	list, err := collect(rows, scan)
	if err != nil {
		return nil, unavailable(doing, err)
	}
	return list, nil
}

func scanListed(from scanner) (row ports.Row, err error) {
	err = scanRow(from, &row)
	return row, err
}

func scanTotal(from scanner) (sqlrow.Total, error) {
	var t sqlrow.Total
	var micros int64
	err := from.Scan(&t.Type, &t.Status, &t.Priority, &t.N, &micros)
	t.Age = time.Duration(micros) * time.Microsecond
	return t, err
}

func scanSummary(from scanner) (sqlrow.Total, error) {
	var t sqlrow.Total
	var micros int64
	err := from.Scan(&t.Type, &t.Status, &t.N, &micros)
	t.Age = time.Duration(micros) * time.Microsecond
	return t, err
}

// Counts gives sums ordered by bucket, type, name and label.
func (s *Store) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	return query(ctx, s, "read counts", func(from scanner) (ports.Count, error) {
		var c ports.Count
		var bucket, micros int64
		err := from.Scan(&bucket, &c.Type, &c.Name, &c.Label, &c.N, &micros)
		c.Bucket, c.Total = fromMicros(&bucket), time.Duration(micros)*time.Microsecond
		return c, err
	}, countsSQL, from.UnixMicro(), to.UnixMicro(), workflowType)
}
