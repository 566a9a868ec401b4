package contracttests

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// deliveryListRules: what is seen of deliveries.
func deliveryListRules() []StoreRule {
	return []StoreRule{
		rule("ListDeliveries: pages through the deliveries of a subscription, newest event first", listsDeliveries),
		rule("ListDeliveries: ties of the event's time are ordered by workflow ID and sequence, both descending", tiedDeliveries),
		rule("ListDeliveries: empty members select all, and together they select what all of them do", filtersDeliveries),
		rule("ListDeliveries: a cursor continues after the last delivery, once each, while others are added", deliveryCursors),
		rule("ListDeliveries: NextCursor is empty on the last page", lastDeliveries),
		rule("ListDeliveries: ErrBadCursor for what is not a cursor of this list", forgedDeliveryCursors),
		rule("DeliveryBacklog: counts what is not settled, of active subscriptions", countsBacklog),
		rule("DeliveryBacklog: says since when the oldest is due; zero if there is none", oldestOfBacklog),
	}
}

// mixed has deliveries of two subscriptions in every status, with ties of the
// event's time, and gives them as they should be listed.
func (p *probe) mixed() []ports.Delivery {
	const workflows = 18
	p.live("r1")
	p.subscribe(1)
	p.subscribe(2)
	for n := range workflows {
		tied := EditRow(func(r *ports.Row) {
			r.StartedAt = Epoch.Add(time.Duration(n/4) * time.Second)
			r.UpdatedAt = r.StartedAt
		})
		row := p.tell(n, tied)
		p.next(row, EditRow(func(r *ports.Row) { r.UpdatedAt = row.UpdatedAt }), Telling(otherEvent))
	}
	var attempts []ports.Attempt
	seen := map[string]int{}
	for _, d := range p.take("r1", anyRoom(1, 2)) {
		seen[d.WebhookID]++
		status := []ports.DeliveryStatus{"", ports.DeliveryDelivered, ports.DeliveryRetrying, ports.DeliveryFailed}[seen[d.WebhookID]%4]
		if status != "" {
			attempts = append(attempts, attempted(d.DeliveryKey, status))
		}
	}
	p.settle("r1", attempts...)
	all := p.deliveries(ports.DeliveryQuery{}).Deliveries
	p.want(len(all) == 4*workflows, "%d deliveries are listed, want %d", len(all), 4*workflows)
	return listedInOrder(all, ports.DeliveryQuery{})
}

// listedInOrder gives what a query selects, as it should be ordered.
func listedInOrder(all []ports.Delivery, q ports.DeliveryQuery) []ports.Delivery {
	list := slices.DeleteFunc(slices.Clone(all), func(d ports.Delivery) bool {
		return q.WebhookID != "" && d.WebhookID != q.WebhookID || q.Status != "" && d.Status != q.Status
	})
	slices.SortFunc(list, func(a, b ports.Delivery) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.WorkflowID, a.WorkflowID), cmp.Compare(b.Sequence, a.Sequence),
			strings.Compare(b.WebhookID, a.WebhookID))
	})
	return list
}

// gives expects a list of deliveries; those of different subscriptions that
// tell of one event may come in any order.
func (p *probe) gives(what string, got, want []ports.Delivery) {
	p.want(len(got) == len(want), "%s: %d deliveries, want %d", what, len(got), len(want))
	seen := map[ports.DeliveryKey]bool{}
	for i := range want {
		p.want(!seen[got[i].DeliveryKey], "%s: %v is listed twice", what, got[i].DeliveryKey)
		seen[got[i].DeliveryKey] = true
		p.want(got[i].WorkflowID == want[i].WorkflowID && got[i].Sequence == want[i].Sequence,
			"%s: delivery %d is %v, want %v", what, i, got[i].DeliveryKey, want[i].DeliveryKey)
	}
	for _, d := range want {
		p.want(seen[d.DeliveryKey], "%s: %v is left out", what, d.DeliveryKey)
	}
}

func listsDeliveries(p *probe) {
	p.want(p.deliveries(ports.DeliveryQuery{}).Total == 0, "an empty store lists deliveries")
	p.subscribe(1)
	p.subscribe(2)
	var want []ports.DeliveryKey
	for _, n := range []int{4, 2, 5, 1, 3} {
		p.tell(n)
	}
	for n := 5; n >= 1; n-- {
		want = append(want, delivering(1, n, 1))
	}
	p.told(1, want...)
	page := p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: 2})
	p.want(page.Total == 5 && len(page.Deliveries) == 2, "a page of two has %d deliveries, total %d", len(page.Deliveries), page.Total)
}

func tiedDeliveries(p *probe) {
	p.subscribe(1)
	at := EditRow(func(r *ports.Row) { r.UpdatedAt = Epoch })
	for _, n := range []int{2, 3, 1} {
		p.next(p.tell(n, at), at, Telling(FixtureEvent))
	}
	p.told(1, delivering(1, 3, 2), delivering(1, 3, 1), delivering(1, 2, 2), delivering(1, 2, 1), delivering(1, 1, 2), delivering(1, 1, 1))
}

func filtersDeliveries(p *probe) {
	all := p.mixed()
	for _, id := range []string{"", WebhookID(1), WebhookID(2), WebhookID(3)} {
		for _, status := range []ports.DeliveryStatus{"", ports.DeliveryPending, ports.DeliveryRetrying, ports.DeliveryDelivered, ports.DeliveryFailed} {
			q := ports.DeliveryQuery{WebhookID: id, Status: status}
			page, want := p.deliveries(q), listedInOrder(all, q)
			p.gives(fmt.Sprintf("%+v", q), page.Deliveries, want)
			p.want(page.Total == len(want), "total of %+v is %d, want %d", q, page.Total, len(want))
			p.want(id != "" && id != WebhookID(1) || len(want) > 0, "the fixture has no delivery of %q that is %q", id, status)
		}
	}
}

// iterateDeliveries follows the cursors of a query to the end.
func (p *probe) iterateDeliveries(q ports.DeliveryQuery, between func()) []ports.Delivery {
	return follow(p, q.Limit, func(cursor string) ([]ports.Delivery, string) {
		if cursor != "" {
			q.Cursor, q.Offset = cursor, 0
			between()
		}
		page := p.deliveries(q)
		return page.Deliveries, page.NextCursor
	})
}

func deliveryCursors(p *probe) {
	all := p.mixed()
	for _, q := range []ports.DeliveryQuery{
		{Limit: 1}, {Limit: 5}, {Limit: 3, WebhookID: WebhookID(1)}, {Limit: 2, Status: ports.DeliveryFailed}, {Limit: 4, Offset: 6},
	} {
		want := listedInOrder(all, q)
		p.gives(fmt.Sprintf("pages by cursor of %+v", q), p.iterateDeliveries(q, nothing), want[q.Offset:])
	}
	added := 100
	q := ports.DeliveryQuery{Limit: 4, WebhookID: WebhookID(1)}
	got := p.iterateDeliveries(q, func() {
		added++
		p.tell(added) // newer than all
	})
	p.gives("pages while others are added", got, listedInOrder(all, q))
}

func lastDeliveries(p *probe) {
	p.subscribe(1)
	p.starts(0, 12, Telling(FixtureEvent))
	for _, limit := range []int{12, 6, 100} {
		q := ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: limit}
		pages := 1
		for page := p.deliveries(q); page.NextCursor != ""; pages++ {
			q.Cursor = page.NextCursor
			page = p.deliveries(q)
			p.want(len(page.Deliveries) > 0, "with limit %d, a cursor leads to an empty page", limit)
		}
		p.want(pages == max(1, 12/limit), "12 deliveries take %d pages of %d", pages, limit)
	}
}

func forgedDeliveryCursors(p *probe) {
	p.subscribe(1)
	p.subscribe(2)
	p.starts(0, 10, Telling(FixtureEvent))
	good := p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: 3}).NextCursor
	refused := func(what string, q ports.DeliveryQuery) {
		_, err := p.store.ListDeliveries(p.ctx, q)
		p.want(errors.Is(err, ports.ErrBadCursor), "a list with %s: got error %v, want %v", what, err, ports.ErrBadCursor)
	}
	workflows := p.list(ports.ListQuery{Limit: 3}).NextCursor
	for _, forged := range []string{"x", "???", good + "x", good[1:], "0", "bnVsbA", "e30", "W10", "\x00", "é", workflows, strings.Repeat("A", 5000)} {
		refused(fmt.Sprintf("cursor %.20q", forged), ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: 3, Cursor: forged})
	}
	refused("the cursor of another subscription", ports.DeliveryQuery{WebhookID: WebhookID(2), Limit: 3, Cursor: good})
	refused("the cursor of all subscriptions", ports.DeliveryQuery{Limit: 3, Cursor: good})
	refused("the cursor of another status", ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: 3, Cursor: good, Status: ports.DeliveryPending})
	page := p.deliveries(ports.DeliveryQuery{WebhookID: WebhookID(1), Limit: 5, Cursor: good})
	p.want(len(page.Deliveries) == 5 && page.Total == 10, "another page size spoils a cursor")
}

// backlog expects how many deliveries wait, and gives since when.
func (p *probe) backlog(want int, what string) time.Time {
	pending, oldest, err := p.store.DeliveryBacklog(p.ctx)
	p.must(err, "DeliveryBacklog")
	p.want(pending == want, "%s: the backlog is %d, want %d", what, pending, want)
	return oldest
}

func countsBacklog(p *probe) {
	p.live("r1")
	p.backlog(0, "empty")
	p.subscribe(1)
	p.subscribe(2)
	p.starts(0, 4, Telling(FixtureEvent))
	p.backlog(8, "none is settled")
	p.want(len(p.take("r1", anyRoom(1))) == 4, "not all deliveries were claimed")
	p.backlog(8, "four are attempted")
	p.settle("r1", attempted(delivering(1, 0, 1), ports.DeliveryDelivered), attempted(delivering(1, 1, 1), ports.DeliveryFailed),
		attempted(delivering(1, 2, 1), ports.DeliveryRetrying))
	p.backlog(6, "two are settled")
	p.must(p.store.Redeliver(p.ctx, delivering(1, 0, 1), nil, nil), "Redeliver")
	p.backlog(7, "one is asked for again")
	p.disable(1, true)
	p.backlog(4, "one subscription is inactive")
	p.must(p.store.Redeliver(p.ctx, delivering(1, 0, 1), nil, nil), "Redeliver")
	p.backlog(4, "one is asked for that has to wait for its subscription")
}

func oldestOfBacklog(p *probe) {
	p.live("r1")
	p.subscribe(1)
	p.want(p.backlog(0, "empty").IsZero(), "an empty backlog has an oldest")
	p.tell(1)
	told := p.stands(delivering(1, 1, 1), ports.DeliveryPending, 0, "new").NextAttemptAt
	p.want(sameTime(p.backlog(1, "new"), told), "the oldest is due at %v, want %v", p.backlog(1, "new"), told)
	p.tell(2)
	p.tell(3)
	p.want(sameTime(p.backlog(3, "three"), told), "the oldest of three is not the first")
	p.want(len(p.take("r1", anyRoom(1))) == 3, "not all deliveries were claimed")
	p.want(sameTime(p.backlog(3, "attempted"), told), "one that is being attempted is not due any more")
	retry := func(a *ports.Attempt) { a.NextAttemptAt = Epoch }
	p.settle("r1", attempted(delivering(1, 1, 1), ports.DeliveryRetrying), attempted(delivering(1, 2, 1), ports.DeliveryRetrying, retry),
		attempted(delivering(1, 3, 1), ports.DeliveryDelivered))
	p.want(sameTime(p.backlog(2, "due"), Epoch), "the oldest is due at %v, want %v", p.backlog(2, "due"), Epoch)
	p.takes("r1", anyRoom(1), delivering(1, 2, 1))
	p.settle("r1", attempted(delivering(1, 2, 1), ports.DeliveryFailed))
	p.want(p.backlog(1, "not due yet").IsZero(), "the oldest of what is not due yet is due at %v", p.backlog(1, "not due yet"))
}
