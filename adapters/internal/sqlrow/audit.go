package sqlrow

import (
	"fmt"
	"hash/fnv"

	"github.com/firstviscount/platform-coordination/ports"
)

// AuditColumns are those of an audit entry.
const AuditColumns = "at, id, subject, role, action, target, reason, request_id, trace_id, before, after"

// AuditList is a list of audit entries being made: of the page query, and of
// the query that counts. Either goes through one of the indexes, which end with
// the time.
type AuditList struct {
	query   ports.AuditQuery
	dialect Dialect
	place   *place // nil: from the start
}

// NewAuditList checks a query; ports.ErrBadCursor if its cursor is not one of this list.
func NewAuditList(q ports.AuditQuery, d Dialect) (*AuditList, error) {
	switch {
	case q.Limit < 1 || q.Limit > maxLimit:
		return nil, fmt.Errorf("limit %d is not in 1 to %d", q.Limit, maxLimit)
	case q.Offset < 0 || q.Offset > 0 && q.Cursor != "":
		return nil, fmt.Errorf("offset %d is negative or comes with a cursor", q.Offset)
	}
	l := &AuditList{query: q, dialect: d}
	if q.Cursor == "" {
		return l, nil
	}
	c, err := unsealed(q.Cursor, auditName(&q))
	l.place = &place{value: c.Time, id: c.ID}
	return l, err
}

// auditName is a fingerprint of the filters.
func auditName(q *ports.AuditQuery) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "audit %q %q %q %d %d", q.Subject, q.Action, q.Target, q.From.UnixMilli(), q.To.UnixMilli())
	return fmt.Sprintf("%016x", h.Sum64())
}

// selected adds the conditions of the filters.
func (l *AuditList) selected(b *statement) {
	q := &l.query
	b.WriteString(" FROM audit WHERE 1 = 1")
	for _, f := range []struct{ column, value string }{{"subject", q.Subject}, {"action", q.Action}, {"target", q.Target}} {
		if f.value != "" {
			b.printf(" AND %s = %s", f.column, b.param(f.value))
		}
	}
	if !q.From.IsZero() {
		b.printf(" AND at >= %s", b.param(q.From))
	}
	if !q.To.IsZero() {
		b.printf(" AND at < %s", b.param(q.To))
	}
}

// PageQuery selects the AuditColumns of limit+1 entries, newest first.
func (l *AuditList) PageQuery() (string, []any) {
	b := &statement{dialect: l.dialect}
	b.WriteString("SELECT " + AuditColumns)
	l.selected(b)
	if l.place != nil {
		b.printf(" AND at <= %[1]s AND (at < %[1]s OR id < %[2]s)", b.param(l.place.value), b.param(l.place.id))
	}
	b.printf(" ORDER BY at DESC, id DESC LIMIT %s OFFSET %s", b.param(l.query.Limit+1), b.param(l.query.Offset))
	return b.String(), b.args
}

// TotalQuery counts what the filters select, up to ports.MaxCount.
func (l *AuditList) TotalQuery() (string, []any) {
	b := &statement{dialect: l.dialect}
	b.WriteString("SELECT count(*) FROM (SELECT 1 AS one")
	l.selected(b)
	b.printf(" LIMIT %s) AS selected", b.param(ports.MaxCount))
	return b.String(), b.args
}

// Page makes the page of up to limit+1 entries and the total.
func (l *AuditList) Page(entries []ports.AuditEntry, total int) ports.AuditPage {
	p := ports.AuditPage{Total: total}
	if len(entries) > l.query.Limit {
		entries = entries[:l.query.Limit]
		last := &entries[len(entries)-1]
		p.NextCursor = cursor{List: auditName(&l.query), ID: last.ID, Time: last.At}.sealed()
	}
	p.Entries = entries
	return p
}
