package contracttests

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// auditRules: who changed what is kept exactly if the change is.
func auditRules() []StoreRule {
	return []StoreRule{
		rule("Change: Audit is written with the change, if set", auditWritten),
		rule("Change: Audit is not written when the change is refused", refusedUnaudited),
		rule("Change: of concurrent changes with one Expected only the entry of the committed one is written", oneAudited),
		rule("Change: what the caller alters after Commit does not change the audit", auditKeepsItsOwn),
		rule("AuditEntry: every member is read as it was written", auditMembers),
	}
}

// auditListRules: how the audit is read.
func auditListRules() []StoreRule {
	return []StoreRule{
		rule("ListAudit: pages through entries, newest first", auditNewestFirst),
		rule("AuditQuery: empty members select all", auditsAll),
		rule("AuditQuery: each filter selects, and together they select what all of them do", auditFilters),
		rule("AuditQuery: From is inclusive, To exclusive", auditPeriod),
		rule("AuditQuery: Limit is 1 to 100, and Offset 0 with a cursor", auditLimits),
		rule("AuditQuery: a cursor continues after the last entry of an earlier page", auditCursors),
		rule("AuditQuery: ErrBadCursor for what is not a cursor of this list", auditForgedCursors),
		rule("AuditPage: NextCursor is empty on the last page", auditLastPage),
		rule("AuditPage: Total is exact up to MaxCount", auditTotal),
	}
}

// AuditOf is the n-th audit entry, made n seconds after Epoch.
func AuditOf(n int) ports.AuditEntry {
	return ports.AuditEntry{
		ID:      fmt.Sprintf("aud-01947a3c-0000-7000-8000-%012x", n),
		At:      Epoch.Add(time.Duration(n) * time.Second),
		Subject: "svc-shop", Role: "service", Action: "startWorkflow", Target: WorkflowID(n),
		RequestID: fmt.Sprint("req-", n), TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		After: json.RawMessage(`{"status":"STARTED"}`),
	}
}

// Audited writes the n-th audit entry with a change.
func Audited(n int, edits ...func(*ports.AuditEntry)) Edit {
	return func(c *ports.Change) {
		e := AuditOf(n)
		for _, edit := range edits {
			edit(&e)
		}
		c.Audit = &e
	}
}

// audits gives a page of the audit.
func (p *probe) audits(q ports.AuditQuery) ports.AuditPage {
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := p.store.ListAudit(p.ctx, q)
	p.must(err, "ListAudit")
	p.want(len(page.Entries) <= q.Limit, "ListAudit with limit %d gave %d entries", q.Limit, len(page.Entries))
	return page
}

// audited expects exactly these entries, newest first.
func (p *probe) audited(what string, want ...ports.AuditEntry) {
	page := p.audits(ports.AuditQuery{})
	p.sameEntries(what, page.Entries, want)
	p.want(page.Total == len(want), "%s: the total is %d, want %d", what, page.Total, len(want))
}

func (p *probe) sameEntries(what string, got, want []ports.AuditEntry) {
	p.want(len(got) == len(want), "%s: %d entries are listed, want %d", what, len(got), len(want))
	for i := range want {
		d := memberDiff(got[i], want[i])
		p.want(d == "", "%s: entry %d differs in %s", what, i, d)
	}
}

func auditWritten(p *probe) {
	p.audited("nothing was done")
	row := p.start(1, HeldBy("r1"), Audited(1))
	p.audited("a start", AuditOf(1))
	row = p.next(row)
	p.audited("a change without an actor", AuditOf(1))
	p.next(row, Audited(2), Ends(domain.Cancelled))
	p.audited("an end", AuditOf(2), AuditOf(1))
	var batch []ports.Change
	want := []ports.AuditEntry{AuditOf(2), AuditOf(1)}
	for n := 10; n < 20; n++ {
		batch = append(batch, StartOf(n))
		if n%3 > 0 {
			Audited(n)(&batch[len(batch)-1])
			want = slices.Insert(want, 0, AuditOf(n))
		}
	}
	p.commit(batch...)
	p.audited("a batch", want...)
}

func refusedUnaudited(p *probe) {
	row := p.next(p.start(1, HeldBy("r1"), Keyed("scope")))
	stale := NextOf(row, Audited(1))
	stale.Expected = 1
	errs := p.try(stale, StartOf(2, withKey(1), Audited(2)), StartOf(3, Keyed("scope"), Audited(3)), StartOf(4, Audited(4)))
	p.wantErr(errs[0], ports.ErrConflict, "a stale change")
	p.wantErr(errs[1], ports.ErrBusinessKeyTaken, "a start with a taken key")
	p.wantErr(errs[2], ports.ErrIdempotencyKeyTaken, "a start with a used scope")
	p.must(errs[3], "a good start beside them")
	p.audited("three refusals", AuditOf(4))
	p.refused(StartOf(1, Audited(5)), ports.ErrConflict, "a second start")
	p.audited("four refusals", AuditOf(4))
}

func oneAudited(p *probe) {
	row := p.start(1, HeldBy("r1"))
	for round := range 5 {
		made := make([]ports.Change, racers)
		for i := range made {
			made[i] = NextOf(row, Audited(round*racers+i))
		}
		winner := p.race(racers, ports.ErrConflict, func(i int) ports.Change { return made[i] })
		row = made[winner].Row
		page := p.audits(ports.AuditQuery{})
		p.want(page.Total == round+1, "%d changes left %d entries", round+1, page.Total)
		p.sameEntries("the last change", page.Entries[:1], []ports.AuditEntry{*made[winner].Audit})
	}
}

func auditKeepsItsOwn(p *probe) {
	c := StartOf(1, Audited(1, func(e *ports.AuditEntry) { e.Before = json.RawMessage(`{"a":1}`) }))
	want := AuditOf(1)
	want.Before = json.RawMessage(`{"a":1}`)
	p.commit(c)
	scribble(c.Audit.Before)
	scribble(c.Audit.After)
	c.Audit.Reason = "scribbled"
	p.audited("the caller's slices", want)
	read := p.audits(ports.AuditQuery{}).Entries[0]
	scribble(read.Before)
	scribble(read.After)
	p.audited("a reader's slices", want)
}

func auditMembers(p *probe) {
	text := `ünï "q" 'q' \ % _ $1 ? 日本語 🚚`
	full := ports.AuditEntry{
		ID: AuditOf(1).ID, At: Epoch.Add(time.Millisecond), Subject: text, Role: "admin", Action: "cancelWorkflow",
		Target: "whk-" + text, Reason: text, RequestID: "req", TraceID: "trace",
		Before: json.RawMessage(`{"b":1,"a":1.10, "t":"é \u0041"}`), After: json.RawMessage(`{}`),
	}
	bare := ports.AuditEntry{ID: AuditOf(2).ID, At: Epoch.In(time.FixedZone("UTC+9", 9*60*60)).Add(time.Second)}
	for n, e := range []ports.AuditEntry{full, bare} {
		p.start(n, func(c *ports.Change) { c.Audit = &e })
	}
	p.audited("every member", bare, full)
	p.want(p.audits(ports.AuditQuery{}).Entries[0].Before == nil, "what was not there before is empty, not nil")
	for _, q := range []ports.AuditQuery{{Subject: text}, {Target: full.Target}, {Action: "cancelWorkflow"}} {
		p.want(p.audits(q).Total == 1, "no list of %+v finds the entry", q)
	}
	p.want(p.audits(ports.AuditQuery{Subject: "%"}).Total == 0, "a filter is not compared as it stands")
}

// entries writes n entries that differ in all that lists filter by, and gives
// them newest first. Three at a time are of one moment.
func (p *probe) entries(n int) []ports.AuditEntry {
	list := make([]ports.AuditEntry, n)
	for i := range list {
		c := StartOf(i, Audited(i, func(e *ports.AuditEntry) {
			e.At = Epoch.Add(time.Duration(i/3) * time.Minute)
			e.Subject = fmt.Sprint("user-", i%4)
			e.Action = []string{"cancelWorkflow", "retryWorkflow", "createWebhook"}[i%3]
			e.Target = fmt.Sprint("target-", i%5)
		}))
		p.commit(c)
		list[n-1-i] = *c.Audit
	}
	return list
}

func auditNewestFirst(p *probe) {
	all := p.entries(25)
	for offset := 0; offset < 40; offset += 10 {
		page := p.audits(ports.AuditQuery{Offset: offset, Limit: 10})
		p.sameEntries(fmt.Sprint("offset ", offset), page.Entries, all[min(offset, len(all)):min(offset+10, len(all))])
		p.want(page.Total == len(all), "the total at offset %d is %d, want %d", offset, page.Total, len(all))
	}
	late := p.next(p.start(100), Audited(100, func(e *ports.AuditEntry) { e.At = Epoch.Add(-time.Hour) }))
	last := p.audits(ports.AuditQuery{Offset: len(all)}).Entries
	p.want(len(last) == 1 && last[0].Target == late.WorkflowID, "an entry of an earlier time is not listed last")
}

func auditsAll(p *probe) {
	empty := p.audits(ports.AuditQuery{})
	p.want(len(empty.Entries) == 0 && empty.Total == 0 && empty.NextCursor == "", "an empty store lists %+v", empty)
	p.audited("all", p.entries(30)...)
}

func auditFilters(p *probe) {
	all := p.entries(60)
	for _, f := range []struct {
		query   ports.AuditQuery
		selects func(e ports.AuditEntry) bool
	}{
		{ports.AuditQuery{Subject: "user-2"}, func(e ports.AuditEntry) bool { return e.Subject == "user-2" }},
		{ports.AuditQuery{Action: "createWebhook"}, func(e ports.AuditEntry) bool { return e.Action == "createWebhook" }},
		{ports.AuditQuery{Target: "target-4"}, func(e ports.AuditEntry) bool { return e.Target == "target-4" }},
		{ports.AuditQuery{Subject: "user-1", Action: "cancelWorkflow"},
			func(e ports.AuditEntry) bool { return e.Subject == "user-1" && e.Action == "cancelWorkflow" }},
		{ports.AuditQuery{Subject: "user-1", Action: "cancelWorkflow", Target: "target-1", From: Epoch.Add(5 * time.Minute)},
			func(e ports.AuditEntry) bool {
				return e.Subject == "user-1" && e.Action == "cancelWorkflow" && e.Target == "target-1" && !e.At.Before(Epoch.Add(5*time.Minute))
			}},
		{ports.AuditQuery{Subject: "nobody"}, func(ports.AuditEntry) bool { return false }},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(e ports.AuditEntry) bool { return !f.selects(e) })
		page := p.audits(f.query)
		p.sameEntries(fmt.Sprintf("%+v", f.query), page.Entries, want)
		p.want(page.Total == len(want), "the total of %+v is %d, want %d", f.query, page.Total, len(want))
	}
}

func auditPeriod(p *probe) {
	all := p.entries(30)
	for _, f := range []struct{ from, to int }{{3, 7}, {0, 1}, {5, 5}, {8, 100}} {
		q := ports.AuditQuery{From: Epoch.Add(time.Duration(f.from) * time.Minute), To: Epoch.Add(time.Duration(f.to) * time.Minute)}
		want := slices.DeleteFunc(slices.Clone(all), func(e ports.AuditEntry) bool { return e.At.Before(q.From) || !e.At.Before(q.To) })
		page := p.audits(q)
		p.sameEntries(fmt.Sprintf("from minute %d to before %d", f.from, f.to), page.Entries, want)
		p.want(page.Total == len(want), "the total from minute %d to before %d is %d, want %d", f.from, f.to, page.Total, len(want))
	}
	p.want(p.audits(ports.AuditQuery{From: Epoch.Add(8 * time.Minute)}).Total == 6, "From alone selects others")
	p.want(p.audits(ports.AuditQuery{To: Epoch.Add(2 * time.Minute)}).Total == 6, "To alone selects others")
}

func auditLimits(p *probe) {
	p.entries(12)
	good := p.audits(ports.AuditQuery{Limit: 5}).NextCursor
	for _, q := range []ports.AuditQuery{
		{}, {Limit: -1}, {Limit: 101}, {Limit: 5, Offset: -1}, {Limit: 5, Offset: 1, Cursor: good},
	} {
		_, err := p.store.ListAudit(p.ctx, q)
		p.want(err != nil, "ListAudit with limit %d, offset %d and cursor %q is answered", q.Limit, q.Offset, q.Cursor)
	}
	p.want(len(p.audits(ports.AuditQuery{Limit: 1}).Entries) == 1, "a limit of 1 gives another number of entries")
}

// followAudit follows the cursors of a query to the end.
func (p *probe) followAudit(q ports.AuditQuery, between func()) []ports.AuditEntry {
	return follow(p, q.Limit, func(cursor string) ([]ports.AuditEntry, string) {
		if cursor != "" {
			q.Cursor, q.Offset = cursor, 0
			between()
		}
		page := p.audits(q)
		return page.Entries, page.NextCursor
	})
}

func auditCursors(p *probe) {
	all := p.entries(40)
	for _, limit := range []int{1, 4, 7} {
		p.sameEntries(fmt.Sprint("pages of ", limit), p.followAudit(ports.AuditQuery{Limit: limit}, nothing), all)
	}
	mine := slices.DeleteFunc(slices.Clone(all), func(e ports.AuditEntry) bool { return e.Subject != "user-3" })
	p.sameEntries("pages of a subject", p.followAudit(ports.AuditQuery{Subject: "user-3", Limit: 3}, nothing), mine)
	p.sameEntries("pages from an offset on", p.followAudit(ports.AuditQuery{Offset: 5, Limit: 6}, nothing), all[5:])
	added := 1000
	got := p.followAudit(ports.AuditQuery{Limit: 6}, func() {
		added++
		p.start(added, Audited(added, func(e *ports.AuditEntry) { e.At = Epoch.Add(time.Hour) }))
	})
	p.sameEntries("pages while entries are made", got, all)
}

func auditForgedCursors(p *probe) {
	p.entries(10)
	good := p.audits(ports.AuditQuery{Limit: 3}).NextCursor
	refused := func(what string, q ports.AuditQuery) {
		_, err := p.store.ListAudit(p.ctx, q)
		p.wantErr(err, ports.ErrBadCursor, "a list with "+what)
	}
	for _, forged := range []string{"x", "???", good + "x", good[1:], "0", "bnVsbA", "e30", "W10", "\x00", "é"} {
		refused(fmt.Sprintf("cursor %q", forged), ports.AuditQuery{Limit: 3, Cursor: forged})
	}
	for _, q := range []ports.AuditQuery{{Subject: "user-1"}, {Action: "x"}, {Target: "x"}, {From: Epoch}, {To: Epoch.Add(time.Hour)}} {
		q.Limit, q.Cursor = 3, good
		refused("the cursor of other filters", q)
	}
	p.starts(10, 20)
	refused("the cursor of another list", ports.AuditQuery{Limit: 3, Cursor: p.list(ports.ListQuery{Limit: 3}).NextCursor})
	p.want(len(p.audits(ports.AuditQuery{Limit: 5, Cursor: good}).Entries) == 5, "another page size spoils a cursor")
}

func auditLastPage(p *probe) {
	p.entries(12)
	for _, limit := range []int{12, 6, 100} {
		q := ports.AuditQuery{Limit: limit}
		pages := 1
		for page := p.audits(q); page.NextCursor != ""; pages++ {
			q.Cursor = page.NextCursor
			page = p.audits(q)
			p.want(len(page.Entries) > 0, "with limit %d, a cursor leads to an empty page", limit)
			p.want(page.Total == 12, "the total of a later page is %d, want 12", page.Total)
		}
		p.want(pages == max(1, 12/limit), "12 entries take %d pages of %d", pages, limit)
	}
}

// auditTotal writes entries with changes that only hand workflows over, and not
// as many as may be counted, to be quick.
func auditTotal(p *probe) {
	const few, many = 7, ports.MaxCount / 4
	p.starts(0, ports.MaxBatch)
	for n := 0; n < many; n += ports.MaxBatch {
		var batch []ports.Change
		for i := n; i < min(n+ports.MaxBatch, many); i++ {
			row := StartOf(i % ports.MaxBatch).Row
			batch = append(batch, edited(ports.Change{Expected: row.Version, Row: row}, []Edit{Audited(i, func(e *ports.AuditEntry) {
				if i < few {
					e.Subject = "few"
				}
			})}))
		}
		p.commit(batch...)
	}
	p.want(p.audits(ports.AuditQuery{}).Total == many, "the total of %d entries is %d", many, p.audits(ports.AuditQuery{}).Total)
	p.want(p.audits(ports.AuditQuery{Subject: "few"}).Total == few, "the total of %d entries among many is %d", few, p.audits(ports.AuditQuery{Subject: "few"}).Total)
	page := p.audits(ports.AuditQuery{Offset: many - 10})
	p.want(len(page.Entries) == 10 && page.Entries[9].ID == AuditOf(0).ID, "pages end before the last entry")
}
