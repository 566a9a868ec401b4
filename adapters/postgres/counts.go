package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/ports"
)

const countsSQL = `
SELECT bucket, type, name, label, sum(n)::bigint, sum(total_us)::bigint FROM counts
WHERE bucket >= $1 AND bucket < $2 AND ($3 = '' OR type = $3)
GROUP BY bucket, type, name, label ORDER BY bucket, type, name, label`

// Counts gives sums ordered by bucket, type, name and label.
func (s *Store) Counts(ctx context.Context, from, to time.Time, workflowType string) ([]ports.Count, error) {
	rows, _ := s.pool.Query(ctx, countsSQL, from, to, storable(workflowType))
	counts, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (ports.Count, error) {
		var c ports.Count
		var micros int64
		err := r.Scan(&c.Bucket, &c.Type, &c.Name, &c.Label, &c.N, &micros)
		c.Bucket, c.Total = c.Bucket.UTC(), time.Duration(micros)*time.Microsecond
		return c, err
	})
	if err != nil {
		return nil, unavailable("read counts", err)
	}
	return counts, nil
}
