package memory_test

import (
	"context"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenMany are stores that do well with few deliveries.
func brokenMany() []brokenStore {
	const enough = 1000
	return []brokenStore{
		{fault: "total of deliveries stops early", promise: "ListDeliveries: Total is exact up to MaxCount", breaks: totalsUpTo(enough)},
		{fault: "pages of deliveries overlap", promise: "ListDeliveries: Offset and Limit cut pages that join", breaks: pagesOverlap},
		{fault: "cursors of deliveries are offsets", promise: "ListDeliveries: a cursor gives no delivery again and leaves none out while others are added", breaks: placesAreOffsets},
		{fault: "backlog without a limit", promise: "DeliveryBacklog: counts up to MaxCount", breaks: func(f *faulty) { f.Store = countsAll{f.Store} }},
		{fault: "recovers the first ones only", promise: "DeliveryStore: what is done to all deliveries of a subscription is done however many there are", breaks: func(f *faulty) { f.Store = recoversFew{f.Store, enough} }},
	}
}

// deliveryLister lists deliveries in another way.
type deliveryLister struct {
	ports.Store
	list func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error)
}

func (l deliveryLister) ListDeliveries(ctx context.Context, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
	return l.list(ctx, l.Store, q)
}

func totalsUpTo(enough int) func(*faulty) {
	return func(f *faulty) {
		f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
			page, err := s.ListDeliveries(ctx, q)
			page.Total = min(page.Total, enough)
			return page, err
		}}
	}
}

func pagesOverlap(f *faulty) {
	f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
		q.Offset = max(q.Offset-1, 0)
		return s.ListDeliveries(ctx, q)
	}}
}

func placesAreOffsets(f *faulty) {
	f.Store = deliveryLister{f.Store, func(ctx context.Context, s ports.Store, q ports.DeliveryQuery) (ports.DeliveryPage, error) {
		if q.Cursor != "" {
			q.Offset, _ = strconv.Atoi(q.Cursor)
			q.Cursor = ""
		}
		page, err := s.ListDeliveries(ctx, q)
		if page.NextCursor != "" {
			page.NextCursor = strconv.Itoa(q.Offset + len(page.Deliveries))
		}
		return page, err
	}}
}

// countsAll goes on counting where it may stop.
type countsAll struct{ ports.Store }

func (c countsAll) DeliveryBacklog(ctx context.Context) (int, time.Time, error) {
	pending, oldest, err := c.Store.DeliveryBacklog(ctx)
	if pending == ports.MaxCount {
		pending++
	}
	return pending, oldest, err
}

// recoversFew gives in where there are many.
type recoversFew struct {
	ports.Store
	enough int
}

func (r recoversFew) RecoverDeliveries(ctx context.Context, id string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	failed, err := r.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: id, Status: ports.DeliveryFailed, Limit: 1})
	if err != nil || failed.Total <= r.enough {
		return r.Store.RecoverDeliveries(ctx, id, since, once, audit)
	}
	return r.enough, nil
}
