package memory_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenDeliveryLists are stores that list deliveries, or count them, wrongly.
func brokenDeliveryLists() []brokenStore {
	const list = "ListDeliveries: "
	return []brokenStore{
		{fault: "deliveries listed oldest first", promise: list + "pages through the deliveries of a subscription, newest event first",
			breaks: listsDeliveries(func(_ ports.DeliveryQuery, p *ports.DeliveryPage) { slices.Reverse(p.Deliveries) })},
		{fault: "sequences of deliveries in ascending order", promise: list + "ties of the event's time are ordered by workflow ID and sequence, both descending",
			breaks: listsDeliveries(func(_ ports.DeliveryQuery, p *ports.DeliveryPage) { slices.SortStableFunc(p.Deliveries, ascendingTies) })},
		{fault: "a cursor of deliveries on the last page", promise: list + "NextCursor is empty on the last page",
			breaks: listsDeliveries(func(_ ports.DeliveryQuery, p *ports.DeliveryPage) {
				if p.NextCursor == "" {
					p.NextCursor = "end"
				}
			})},
		{fault: "the status of deliveries is not looked at", promise: list + "empty members select all, and together they select what all of them do",
			breaks: asksDeliveries(func(q *ports.DeliveryQuery) { q.Status = "" })},
		{fault: "each page of deliveries is the first", promise: list + "a cursor continues after the last delivery, once each, while others are added",
			breaks: asksDeliveries(func(q *ports.DeliveryQuery) { q.Cursor = "" })},
		{fault: "forged cursors of deliveries start over", promise: list + "ErrBadCursor for what is not a cursor of this list", breaks: deliveriesStartOver},
		{fault: "all deliveries are the backlog", promise: "DeliveryBacklog: counts what is not settled, of active subscriptions",
			breaks: func(f *faulty) { f.Store = backlogOfAll{f.Store} }},
		{fault: "the backlog has no time", promise: "DeliveryBacklog: says since when the oldest is due; zero if there is none",
			breaks: func(f *faulty) { f.Store = backlogWithoutTime{f.Store} }},
	}
}

func ascendingTies(a, b ports.Delivery) int {
	if a.WorkflowID == b.WorkflowID && a.CreatedAt.Equal(b.CreatedAt) {
		return a.Sequence - b.Sequence
	}
	return 0
}

// asksDeliveries lists other deliveries than were asked for.
func asksDeliveries(query func(q *ports.DeliveryQuery)) func(*faulty) {
	return func(f *faulty) {
		f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
			query(&q)
			return s.ListDeliveries(ctx, q)
		}}
	}
}

func deliveriesStartOver(f *faulty) {
	f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
		page, err := s.ListDeliveries(ctx, q)
		if errors.Is(err, ports.ErrBadCursor) {
			q.Cursor = ""
			return s.ListDeliveries(ctx, q)
		}
		return page, err
	}}
}

// backlogOfAll counts settled deliveries too.
type backlogOfAll struct{ ports.Store }

func (b backlogOfAll) DeliveryBacklog(ctx context.Context) (int, time.Time, error) {
	_, since, err := b.Store.DeliveryBacklog(ctx)
	if err != nil {
		return 0, since, err
	}
	all, err := b.ListDeliveries(ctx, ports.DeliveryQuery{Limit: 1})
	return all.Total, since, err
}

// backlogWithoutTime counts only.
type backlogWithoutTime struct{ ports.Store }

func (b backlogWithoutTime) DeliveryBacklog(ctx context.Context) (int, time.Time, error) {
	n, _, err := b.Store.DeliveryBacklog(ctx)
	return n, time.Time{}, err
}

// listsDeliveries alters the pages that are asked for.
func listsDeliveries(answer func(q ports.DeliveryQuery, p *ports.DeliveryPage)) func(*faulty) {
	return func(f *faulty) {
		f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
			page, err := s.ListDeliveries(ctx, q)
			answer(q, &page)
			return page, err
		}}
	}
}
