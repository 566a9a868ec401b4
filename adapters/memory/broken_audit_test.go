package memory_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenAudits are stores that forget who did what, invent it or hide it.
func brokenAudits() []brokenStore {
	return []brokenStore{
		{fault: "nothing is audited", promise: "Change: Audit is written with the change, if set", breaks: altered(func(c *ports.Change) { c.Audit = nil })},
		{fault: "refused changes are audited", promise: "Change: Audit is not written when the change is refused", breaks: auditsRefused},
		{fault: "changes that lost are audited", promise: "Change: of concurrent changes with one Expected only the entry of the committed one is written", breaks: auditsRefused},
		{fault: "the audit follows the caller's slices", promise: "Change: what the caller alters after Commit does not change the audit", breaks: auditAliases},
		{fault: "the request is not audited", promise: "AuditEntry: every member is read as it was written", breaks: audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) {
			for i := range p.Entries {
				p.Entries[i].RequestID = ""
			}
		})},
		{fault: "the audit is listed oldest first", promise: "ListAudit: pages through entries, newest first", breaks: audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) { slices.Reverse(p.Entries) })},
		{fault: "an empty subject is one", promise: "AuditQuery: empty members select all", breaks: audits(nil, func(q ports.AuditQuery, p *ports.AuditPage) {
			if q.Subject == "" {
				p.Entries, p.Total = nil, 0
			}
		})},
		{fault: "the target is not looked at", promise: "AuditQuery: each filter selects, and together they select what all of them do", breaks: audits(func(q *ports.AuditQuery) { q.Target = "" }, nil)},
		{fault: "To is inclusive", promise: "AuditQuery: From is inclusive, To exclusive", breaks: audits(func(q *ports.AuditQuery) {
			if !q.To.IsZero() {
				q.To = q.To.Add(time.Millisecond)
			}
		}, nil)},
		{fault: "any limit will do", promise: "AuditQuery: Limit is 1 to 100, and Offset 0 with a cursor", breaks: audits(func(q *ports.AuditQuery) { q.Limit = max(1, min(q.Limit, 100)) }, nil)},
		{fault: "audit cursors are offsets", promise: "AuditQuery: a cursor continues after the last entry of an earlier page", breaks: auditOffsets},
		{fault: "forged audit cursors start over", promise: "AuditQuery: ErrBadCursor for what is not a cursor of this list", breaks: auditStartsOver},
		{fault: "an audit cursor on the last page", promise: "AuditPage: NextCursor is empty on the last page", breaks: audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) {
			if p.NextCursor == "" {
				p.NextCursor = "end"
			}
		})},
		{fault: "the audit counts to a thousand", promise: "AuditPage: Total is exact up to MaxCount", breaks: audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) { p.Total = min(p.Total, 1000) })},
	}
}

// brokenIdleLists are stores that list the wrong workflows as stuck or idle.
func brokenIdleLists() []brokenStore {
	const prefix = "ListQuery: "
	return []brokenStore{
		{fault: "all active ones are stuck", promise: prefix + "Stuck selects what Monitor.Live counts as stuck with this grace", breaks: lists(func(q *ports.ListQuery) {
			if q.Stuck > 0 {
				q.Stuck, q.ActiveOnly = 0, true
			}
		}, nil)},
		{fault: "stuck ones of every customer", promise: prefix + "Stuck selects together with the other filters, in pages", breaks: lists(func(q *ports.ListQuery) {
			if q.Stuck > 0 {
				q.CustomerID = ""
			}
		}, nil)},
		{fault: "UpdatedBefore inclusive", promise: prefix + "UpdatedBefore is exclusive", breaks: lists(func(q *ports.ListQuery) { q.UpdatedBefore = q.UpdatedBefore.Add(time.Millisecond) }, nil)},
		{fault: "UpdatedBefore is not looked at", promise: prefix + "UpdatedBefore selects together with the other filters, in each order", breaks: lists(func(q *ports.ListQuery) { q.UpdatedBefore = time.Time{} }, nil)},
		{fault: "a cursor for every grace", promise: prefix + "a cursor is good only for the same Stuck and UpdatedBefore", breaks: lists(func(q *ports.ListQuery) { q.Stuck = 0 }, nil)},
	}
}

// audits changes what is asked of the audit, and what it answers.
func audits(query func(*ports.AuditQuery), answer func(ports.AuditQuery, *ports.AuditPage)) func(*faulty) {
	return func(f *faulty) {
		f.listAudit = func(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
			if query != nil {
				query(&q)
			}
			page, err := f.Store.ListAudit(ctx, q)
			if answer != nil && err == nil {
				answer(q, &page)
			}
			return page, err
		}
	}
}

// auditsRefused writes the entry of each refused change, with another change.
func auditsRefused(f *faulty) {
	var others atomic.Int32
	eachChange(func(ctx context.Context, s ports.Store, c ports.Change) error {
		err := commitOne(ctx, s, c)
		if err != nil && c.Audit != nil {
			other := contracttests.StartOf(ghost + int(others.Add(1)))
			other.Audit = c.Audit
			_ = commitOne(ctx, s, other)
		}
		return err
	})(f)
}

// auditAliases answers with the caller's own entries.
func auditAliases(f *faulty) {
	var own []*ports.AuditEntry
	f.commit = func(ctx context.Context, batch []ports.Change) []error {
		for _, c := range batch {
			own = append(own, c.Audit)
		}
		return f.Store.Commit(ctx, batch)
	}
	audits(nil, func(_ ports.AuditQuery, p *ports.AuditPage) {
		for i := range p.Entries {
			p.Entries[i] = *own[len(own)-1-i]
		}
	})(f)
}

// auditOffsets counts entries where it should remember a place.
func auditOffsets(f *faulty) {
	f.listAudit = func(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
		if q.Cursor != "" {
			q.Offset, _ = strconv.Atoi(q.Cursor)
			q.Cursor = ""
		}
		page, err := f.Store.ListAudit(ctx, q)
		if page.NextCursor != "" {
			page.NextCursor = strconv.Itoa(q.Offset + len(page.Entries))
		}
		return page, err
	}
}

func auditStartsOver(f *faulty) {
	f.listAudit = func(ctx context.Context, q ports.AuditQuery) (ports.AuditPage, error) {
		page, err := f.Store.ListAudit(ctx, q)
		if errors.Is(err, ports.ErrBadCursor) {
			q.Cursor = ""
			return f.Store.ListAudit(ctx, q)
		}
		return page, err
	}
}
