package memory_test

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// brokenClaimsOfDeliveries are stores that let the wrong things be attempted,
// or in the wrong order, or nothing.
func brokenClaimsOfDeliveries() []brokenStore {
	const prefix = "ClaimDeliveries: "
	return []brokenStore{
		{fault: "no delivery is ever claimed", promise: prefix + "takes over deliveries that are due and that nobody holds", breaks: returned(func(room map[string]int, _ []ports.Delivery) []ports.Delivery { return nil })},
		{fault: "retries at once", promise: prefix + "a delivery that is not due is left alone", breaks: settled(func(a *ports.Attempt) { a.NextAttemptAt = a.At })},
		{fault: "retries an hour late", promise: prefix + "a delivery becomes due by the store's clock", never: true, breaks: settled(func(a *ports.Attempt) { a.NextAttemptAt = a.NextAttemptAt.Add(time.Hour) })},
		{fault: "due when the event happens", promise: prefix + "a new delivery is due at once, whatever time its event has", breaks: returned(func(_ map[string]int, list []ports.Delivery) []ports.Delivery {
			return slices.DeleteFunc(list, func(d ports.Delivery) bool { return d.CreatedAt.After(time.Now()) })
		})},
		{fault: "claims of deliveries return those of live holders", promise: prefix + "a delivery whose holder is live is left alone", breaks: claiming(func(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
			_ = f.Store.Release(ctx, "r1")
			return f.Store.ClaimDeliveries(ctx, replica, room)
		})},
		{fault: "the dead keep their deliveries", promise: prefix + "takes over deliveries whose holder's lease has run out", breaks: claiming(func(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
			_ = f.Store.Renew(ctx, "unheard-of", time.Hour)
			return f.Store.ClaimDeliveries(ctx, replica, room)
		})},
		{fault: "claims of deliveries ignore the room", promise: prefix + "for each subscription in room at most as many as it says, those due first before the others", breaks: claiming(func(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
			return f.Store.ClaimDeliveries(ctx, replica, roomier(room))
		})},
		{fault: "those due last are claimed first", promise: prefix + "for each subscription in room at most as many as it says, those due first before the others", breaks: claiming(claimsDueLast)},
		{fault: "first attempts in any order", promise: prefix + "a delivery whose first attempt is not settled holds up those of later events that were never attempted", breaks: claiming(claimsLaterEvents)},
		{fault: "one thing at a time", promise: prefix + "a delivery whose first attempt is not settled holds up no other workflow, subscription or later attempt", breaks: returned(func(_ map[string]int, list []ports.Delivery) []ports.Delivery {
			return list[:min(1, len(list))]
		})},
		{fault: "concurrent claims of deliveries overlap", promise: prefix + "no two concurrent claims return the same delivery", breaks: claimsDeliveryAgain},
		{fault: "concurrent first attempts in any order", promise: prefix + "concurrent claims keep the order of first attempts", breaks: claiming(claimsLaterEvents)},
		{fault: "deliveries of the inactive are claimed", promise: prefix + "deliveries of inactive subscriptions are not claimed", breaks: saves(func(w *ports.Webhook) { w.Active = true })},
		{fault: "release keeps the deliveries", promise: "Release: gives up every delivery that the replica holds", breaks: releases(func(context.Context, *faulty, string) {})},
	}
}

// claiming claims deliveries by a faulty way.
func claiming(claim func(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error)) func(*faulty) {
	return func(f *faulty) {
		f.claimDeliveries = func(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
			return claim(ctx, f, replica, room)
		}
	}
}

// returned alters what a claim returns.
func returned(alter func(room map[string]int, list []ports.Delivery) []ports.Delivery) func(*faulty) {
	return claiming(func(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
		list, err := f.Store.ClaimDeliveries(ctx, replica, room)
		return alter(room, list), err
	})
}

// roomier has more room than was asked for.
func roomier(room map[string]int) map[string]int {
	more := map[string]int{}
	for id, n := range room {
		more[id] = n + 100
	}
	return more
}

// claimsDueLast holds what it can and returns the end of it.
func claimsDueLast(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
	list, err := f.Store.ClaimDeliveries(ctx, replica, roomier(room))
	left := map[string]int{}
	for id, n := range room {
		left[id] = n
	}
	slices.Reverse(list)
	return slices.DeleteFunc(list, func(d ports.Delivery) bool {
		left[d.WebhookID]--
		return left[d.WebhookID] < 0
	}), err
}

// claimsLaterEvents hands out, with each delivery, what it should hold up.
func claimsLaterEvents(ctx context.Context, f *faulty, replica string, room map[string]int) ([]ports.Delivery, error) {
	list, err := f.Store.ClaimDeliveries(ctx, replica, room)
	for _, d := range list {
		page, _ := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: d.WebhookID, Status: ports.DeliveryPending, Limit: 100})
		for _, later := range page.Deliveries {
			if later.WorkflowID == d.WorkflowID && later.Sequence > d.Sequence {
				list = append(list, later)
			}
		}
	}
	return list, err
}

// claimsDeliveryAgain returns what an earlier claim returned, once more.
func claimsDeliveryAgain(f *faulty) {
	var earlier atomic.Pointer[ports.Delivery]
	returned(func(_ map[string]int, list []ports.Delivery) []ports.Delivery {
		if again := earlier.Load(); again != nil {
			list = append(list, *again)
		}
		if len(list) > 0 {
			earlier.Store(&list[0])
		}
		return list
	})(f)
}
