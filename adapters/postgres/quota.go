package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// leaseSQL begins a window or takes from the one that there is. The time is
	// read once the row is locked, and once: OFFSET 0 keeps it one value.
	leaseSQL = `
INSERT INTO quotas AS q (key, granted, used, ends_at)
VALUES ($1, least($2::integer, $3::integer), least($2::integer, $3::integer), clock_timestamp() + $4 * interval '1 microsecond')
ON CONFLICT (key) DO UPDATE SET (granted, used, ends_at) = (
	SELECT granted, used + granted, ends_at FROM (
		SELECT used, ends_at, greatest(0, least($3::integer, $2::integer - used)) AS granted FROM (
			SELECT CASE WHEN q.ends_at <= now THEN 0 ELSE q.used END AS used,
				CASE WHEN q.ends_at <= now THEN now + $4 * interval '1 microsecond' ELSE q.ends_at END AS ends_at
			FROM (SELECT clock_timestamp() AS now OFFSET 0) c
		) present
	) next
)
RETURNING granted, used, (extract(epoch FROM ends_at - clock_timestamp()) * 1000000)::bigint`

	// usedSQL looks at a window without taking from it.
	usedSQL = `
SELECT 0, used, (extract(epoch FROM ends_at - clock_timestamp()) * 1000000)::bigint FROM quotas
WHERE key = $1 AND ends_at > clock_timestamp()`

	// forgetWindowsSQL runs whenever a window begins, so that no more keys are
	// kept than were used together.
	forgetWindowsSQL = `
DELETE FROM quotas WHERE key IN (
	SELECT key FROM quotas WHERE ends_at <= (SELECT clock_timestamp()) ORDER BY ends_at LIMIT 16 FOR UPDATE SKIP LOCKED)`
)

// LeaseQuota takes uses out of a window.
func (s *Store) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (ports.QuotaLease, error) {
	sql, args := leaseSQL, []any{storable(key), limit, n, window.Microseconds()}
	if limit <= 0 || n <= 0 {
		sql, args = usedSQL, args[:1]
	}
	var granted, used int
	var micros int64
	err := s.pool.QueryRow(ctx, sql, args...).Scan(&granted, &used, &micros)
	if errors.Is(err, pgx.ErrNoRows) { // there is no window, and nothing was asked of one
		return ports.QuotaLease{Remaining: max(0, limit), EndsIn: window}, nil
	}
	if err != nil {
		return ports.QuotaLease{}, unavailable("lease a quota", err)
	}
	lease := ports.QuotaLease{Granted: granted, Remaining: max(0, limit-used), EndsIn: time.Duration(max(1, micros)) * time.Microsecond}
	if granted > 0 && used == granted { // it began a window
		lease.EndsIn = window
		_, _ = s.pool.Exec(ctx, forgetWindowsSQL) // the next window will see to what stays
	}
	return lease, nil
}

// SettleSetting keeps the first value of a name.
func (s *Store) SettleSetting(ctx context.Context, name string, value []byte) ([]byte, error) {
	if err := sqlrow.CheckSetting(name, value); err != nil {
		return nil, err
	}
	if value == nil {
		value = []byte{}
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, storable(name), value)
	if err != nil {
		return nil, unavailable("settle a setting", err)
	}
	return one(ctx, s, "settle a setting", pgx.RowTo[[]byte], `SELECT value FROM settings WHERE name = $1`, storable(name))
}
