package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/sqlrow"
	"github.com/firstviscount/platform-coordination/ports"
)

// administration are the statements for what persons and operators do.
type administration struct {
	insertEntry                                       *sql.Stmt
	window, useWindow, forgetWindows                  *sql.Stmt
	setting, insertSetting                            *sql.Stmt
	room, insertBatch, insertItems                    *sql.Stmt
	findBatch, cancelBatch, freeBatch, keepBatch      *sql.Stmt
	leaveBatches, heldBatch, settleItem, countResults *sql.Stmt
	oldWorkflows, dropWorkflow, dropEvents, dropKeys  *sql.Stmt
	purgeAudit, oldBatch, dropBatch, dropItems        *sql.Stmt
}

func (a *administration) list() []prepared {
	return []prepared{
		{&a.insertEntry, insertEntrySQL},
		{&a.window, windowSQL}, {&a.useWindow, useWindowSQL}, {&a.forgetWindows, forgetWindowsSQL},
		{&a.setting, settingSQL}, {&a.insertSetting, insertSettingSQL},
		{&a.room, roomSQL}, {&a.insertBatch, insertBatchSQL}, {&a.insertItems, insertItemsSQL},
		{&a.findBatch, findBatchSQL}, {&a.cancelBatch, cancelBatchSQL}, {&a.freeBatch, freeBatchSQL}, {&a.keepBatch, keepBatchSQL},
		{&a.leaveBatches, leaveBatchesSQL}, {&a.heldBatch, heldBatchSQL}, {&a.settleItem, settleItemSQL}, {&a.countResults, countResultsSQL},
		{&a.oldWorkflows, oldWorkflowsSQL}, {&a.dropWorkflow, dropWorkflowSQL}, {&a.dropEvents, dropEventsSQL}, {&a.dropKeys, dropKeysSQL},
		{&a.purgeAudit, purgeAuditSQL}, {&a.oldBatch, oldBatchSQL}, {&a.dropBatch, dropBatchSQL}, {&a.dropItems, dropItemsSQL},
	}
}

const insertEntrySQL = `INSERT INTO audit (` + sqlrow.AuditColumns + `) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`

// note writes an audit entry, if there is one.
func (w *writer) note(e *ports.AuditEntry) error {
	if e == nil {
		return nil
	}
	_, err := w.insertEntry.Exec(e.At.UnixMicro(), e.ID, e.Subject, e.Role, e.Action, e.Target, e.Reason, e.RequestID, e.TraceID,
		optional(e.Before), optional(e.After))
	return err
}

// optional keeps nil apart from empty.
func optional(text json.RawMessage) any {
	if text == nil {
		return nil
	}
	return []byte(text)
}

// ListAudit gives a page of entries, newest first.
func (s *Store) ListAudit(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
	const doing = "list audit entries"
	l, err := sqlrow.NewAuditList(q, dialect)
	if err != nil {
		return ports.AuditPage{}, err
	}
	stmt, args := l.TotalQuery()
	totals, err := query(ctx, s, doing, scanNumber, stmt, args...)
	if err != nil {
		return ports.AuditPage{}, err
	}
	stmt, args = l.PageQuery()
	entries, err := query(ctx, s, doing, scanEntry, stmt, args...)
	if err != nil {
		return ports.AuditPage{}, err
	}
	return l.Page(entries, totals[0]), nil
}

func scanNumber(from scanner) (n int, err error) {
	err = from.Scan(&n)
	return n, err
}

func scanEntry(from scanner) (e ports.AuditEntry, err error) {
	var at int64
	err = from.Scan(&at, &e.ID, &e.Subject, &e.Role, &e.Action, &e.Target, &e.Reason, &e.RequestID, &e.TraceID,
		(*[]byte)(&e.Before), (*[]byte)(&e.After))
	e.At = fromMicros(&at)
	return e, err
}

const (
	windowSQL    = `SELECT used, ends_at FROM quotas WHERE key = ?1`
	useWindowSQL = `INSERT INTO quotas (key, used, ends_at) VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET used = excluded.used, ends_at = excluded.ends_at`

	// forgetWindowsSQL runs whenever a window begins, so that no more keys are
	// kept than were used together.
	forgetWindowsSQL = `DELETE FROM quotas WHERE key IN (SELECT key FROM quotas WHERE ends_at <= ?1 ORDER BY ends_at LIMIT 16)`
)

// LeaseQuota takes uses out of a window.
func (s *Store) LeaseQuota(ctx context.Context, key string, limit, n int, window time.Duration) (lease ports.QuotaLease, err error) {
	err = s.write(ctx, "lease a quota", func(w *writer) error {
		at := now()
		var used int
		var ends int64
		if _, err := one(w.window, []any{key}, &used, &ends); err != nil {
			return err
		}
		lease.EndsIn = time.Duration(ends-at) * time.Microsecond
		begins := ends <= at
		if begins {
			used, ends, lease.EndsIn = 0, at+window.Microseconds(), window
		}
		lease.Granted = max(0, min(n, limit-used))
		used += lease.Granted
		lease.Remaining = max(0, limit-used)
		if lease.Granted == 0 {
			return nil
		}
		if begins {
			if _, err := w.forgetWindows.Exec(at); err != nil {
				return err
			}
		}
		_, err := w.useWindow.Exec(key, used, ends)
		return err
	})
	return lease, err
}

const (
	settingSQL       = `SELECT value FROM settings WHERE name = ?1`
	insertSettingSQL = `INSERT INTO settings (name, value) VALUES (?1, ?2)`
)

// SettleSetting keeps the first value of a name.
func (s *Store) SettleSetting(ctx context.Context, name string, value []byte) (kept []byte, err error) {
	if err := sqlrow.CheckSetting(name, value); err != nil {
		return nil, err
	}
	err = s.write(ctx, "settle a setting", func(w *writer) error {
		is, err := one(w.setting, []any{name}, &kept)
		if err != nil || is {
			return err
		}
		kept = append([]byte{}, value...)
		_, err = w.insertSetting.Exec(name, kept)
		return err
	})
	return kept, err
}
