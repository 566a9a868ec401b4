package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	renewSQL = `
INSERT INTO replicas (replica, expires_at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at`
	endLeaseSQL = `DELETE FROM replicas WHERE replica = ?1`
	releaseSQL  = `UPDATE workflows SET owner = '', due_at = ?2 WHERE active AND owner = ?1`

	dueSQL = `
SELECT ` + rowColumns + `, nr FROM workflows INDEXED BY workflows_live
WHERE active AND owner = '' AND due_at <= ?1 ORDER BY due_at LIMIT ?2`

	// abandonedSQL hops from holder to holder through the index of live
	// workflows: its cost depends on their number, not on that of workflows.
	abandonedSQL = `
WITH RECURSIVE holders(owner) AS (
	SELECT (SELECT min(owner) FROM workflows INDEXED BY workflows_live WHERE active AND owner > '')
	UNION ALL
	SELECT (SELECT min(w.owner) FROM workflows w INDEXED BY workflows_live WHERE w.active AND w.owner > h.owner)
	FROM holders h WHERE h.owner IS NOT NULL
)
SELECT ` + rowColumns + `, nr FROM workflows INDEXED BY workflows_live
WHERE active AND owner IN (SELECT owner FROM holders h WHERE owner IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.replica = h.owner AND r.expires_at > ?1))
LIMIT ?2`

	giveSQL = `UPDATE workflows SET owner = ?1, due_at = NULL WHERE nr = ?2`

	liveSQL = `
SELECT count(*), count(*) FILTER (WHERE status = 'PARKED'
	OR coalesce(CASE WHEN owner = '' THEN due_at ELSE wake_at END, 0) < ?1)
FROM workflows INDEXED BY workflows_live WHERE active`
)

// now is the store's time: the clock of the only process that uses the file.
func now() int64 { return time.Now().UnixMicro() }

// Renew makes the replica live for ttl from now.
func (s *Store) Renew(ctx context.Context, replica string, ttl time.Duration) error {
	return s.write(ctx, "renew a lease", func(w *writer) error {
		_, err := w.renew.Exec(replica, now()+ttl.Microseconds())
		return err
	})
}

// Claim takes over workflows that are due, earliest first, and then those of
// holders whose lease has run out.
func (s *Store) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	var records []ports.Record
	err := s.write(ctx, "claim workflows", func(w *writer) (err error) {
		records, err = w.claim(replica, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// claimable is a row with its number.
type claimable struct {
	row ports.Row
	nr  int64
}

func scanClaimable(from scanner) (c claimable, err error) {
	err = scanRow(from, &c.row, &c.nr)
	return c, err
}

func (w *writer) claim(replica string, limit int) ([]ports.Record, error) {
	var list []claimable
	at := now()
	for _, stmt := range []*sql.Stmt{w.due, w.abandoned} {
		rows, err := stmt.Query(at, limit-len(list))
		if err != nil {
			return nil, err
		}
		more, err := collect(rows, scanClaimable)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	records := make([]ports.Record, len(list))
	for i, c := range list {
		if _, err := w.give.Exec(replica, c.nr); err != nil {
			return nil, err
		}
		c.row.Owner, c.row.DueAt = replica, time.Time{}
		rec, err := w.record(c)
		if err != nil {
			return nil, err
		}
		records[i] = rec
	}
	return records, nil
}

// record adds the events to a row.
func (w *writer) record(c claimable) (ports.Record, error) {
	rows, err := w.eventsOf.Query(c.nr)
	if err != nil {
		return ports.Record{}, err
	}
	events, err := collect(rows, scanEvents)
	return ports.Record{Row: c.row, Events: events}, err
}

// Release gives up everything the replica holds, due at once, and ends its lease.
func (s *Store) Release(ctx context.Context, replica string) error {
	return s.write(ctx, "release workflows", func(w *writer) error {
		if _, err := w.release.Exec(replica, now()); err != nil {
			return err
		}
		if _, err := w.disown.Exec(replica); err != nil {
			return err
		}
		if _, err := w.leaveBatches.Exec(replica); err != nil {
			return err
		}
		if _, err := w.releaseDeliveries.Exec(replica); err != nil {
			return err
		}
		_, err := w.endLease.Exec(replica)
		return err
	})
}

// Live counts active workflows and those of them that are stuck.
func (s *Store) Live(ctx context.Context, grace time.Duration) (active, stuck int, err error) {
	err = s.get(ctx, "count live workflows", liveSQL, now()-grace.Microseconds(), &active, &stuck)
	return active, stuck, err
}
