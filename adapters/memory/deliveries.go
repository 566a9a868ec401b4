package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/internal/deliveries"
	"github.com/firstviscount/platform-coordination/ports"
)

var deliveryStatuses = []ports.DeliveryStatus{
	ports.DeliveryPending, ports.DeliveryRetrying, ports.DeliveryDelivered, ports.DeliveryFailed,
}

// delivery is what is stored of one. Changes go through subscription.change,
// which keeps the lists in order.
type delivery struct {
	ports.Delivery
	holder string // whose attempt is under way; "" if none is
	asked  bool   // asked for again while it is
}

func compareEvent(a, b *delivery) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Sequence, b.Sequence))
}

func compareNext(a, b *delivery) int {
	return cmp.Or(a.NextAttemptAt.Compare(b.NextAttemptAt), strings.Compare(a.WorkflowID, b.WorkflowID), cmp.Compare(a.Sequence, b.Sequence))
}

// notify makes deliveries of the notices of a change.
func (s *Store) notify(c *ports.Change) {
	for _, n := range c.Notices {
		for id, sub := range s.webhooks {
			if sub.webhook.Active && slices.Contains(sub.webhook.Events, n.Event) {
				sub.add(&delivery{Delivery: ports.Delivery{
					DeliveryKey: ports.DeliveryKey{WebhookID: id, WorkflowID: c.Row.WorkflowID, Sequence: n.Sequence},
					Event:       n.Event, Status: ports.DeliveryPending, CreatedAt: storedTime(n.At), NextAttemptAt: s.now(),
				}})
			}
		}
	}
}

// add keeps a delivery, unless there is one for the event.
func (sub *subscription) add(d *delivery) {
	of := sub.deliveries[d.WorkflowID]
	at, found := slices.BinarySearchFunc(of, d.Sequence, func(d *delivery, seq int) int { return cmp.Compare(d.Sequence, seq) })
	if found {
		return
	}
	sub.deliveries[d.WorkflowID] = slices.Insert(of, at, d)
	sub.list(d)
}

func (sub *subscription) list(d *delivery) {
	sub.listed[d.Status].insert(d)
	if !d.NextAttemptAt.IsZero() {
		sub.unsettled.insert(d)
	}
}

func (sub *subscription) unlist(d *delivery) {
	sub.listed[d.Status].remove(d)
	sub.unsettled.remove(d)
}

func (sub *subscription) change(d *delivery, how func(d *delivery)) {
	sub.unlist(d)
	how(d)
	sub.list(d)
}

// giveUp fails what is not settled.
func (sub *subscription) giveUp() {
	for sub.unsettled.size > 0 {
		sub.change(sub.unsettled.first(), func(d *delivery) {
			d.Status, d.NextAttemptAt, d.asked = ports.DeliveryFailed, time.Time{}, false
		})
	}
}

// askAgain makes a delivery due, also if its attempt is under way.
func (sub *subscription) askAgain(d *delivery, now time.Time) {
	sub.change(d, func(d *delivery) {
		d.Status, d.NextAttemptAt, d.asked = ports.DeliveryPending, now, d.holder != ""
	})
}

// heldUp reports whether an earlier event of the workflow is to be seen first.
func (sub *subscription) heldUp(d *delivery) bool {
	if d.Attempts > 0 {
		return false
	}
	for _, earlier := range sub.deliveries[d.WorkflowID] {
		if earlier.Sequence >= d.Sequence {
			return false
		}
		if earlier.Attempts == 0 && !earlier.NextAttemptAt.IsZero() {
			return true
		}
	}
	return false
}

// hold gives a delivery to a replica.
func (s *Store) hold(d *delivery, replica string) {
	s.letGo(d)
	d.holder = replica
	if s.underWay[replica] == nil {
		s.underWay[replica] = map[*delivery]struct{}{}
	}
	s.underWay[replica][d] = struct{}{}
}

// letGo leaves a delivery to whoever claims it.
func (s *Store) letGo(d *delivery) {
	delete(s.underWay[d.holder], d)
	if len(s.underWay[d.holder]) == 0 {
		delete(s.underWay, d.holder)
	}
	d.holder, d.asked = "", false
}

// ClaimDeliveries takes over deliveries that are due and that nobody alive holds.
func (s *Store) ClaimDeliveries(ctx context.Context, replica string, room map[string]int) ([]ports.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	now := s.now()
	var claimed []*delivery
	for id, limit := range room {
		if sub := s.webhooks[id]; sub != nil && sub.webhook.Active {
			claimed = append(claimed, s.attemptable(sub, now, limit)...)
		}
	}
	slices.SortFunc(claimed, compareNext)
	list := make([]ports.Delivery, len(claimed))
	for i, d := range claimed {
		s.hold(d, replica)
		list[i] = d.Delivery
	}
	return list, nil
}

// attemptable finds up to limit deliveries, those due first before the others.
func (s *Store) attemptable(sub *subscription, now time.Time, limit int) []*delivery {
	var found []*delivery
	for d := range sub.unsettled.after(nil, true) {
		if len(found) >= limit || d.NextAttemptAt.After(now) {
			break
		}
		if (d.holder == "" || !s.leases[d.holder].After(now)) && !sub.heldUp(d) {
			found = append(found, d)
		}
	}
	return found
}

// SettleDeliveries records attempts and gives up the hold.
func (s *Store) SettleDeliveries(ctx context.Context, replica string, attempts []ports.Attempt) error {
	if err := deliveries.CheckAttempts(attempts); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	for _, a := range attempts {
		sub, d := s.delivery(a.DeliveryKey)
		if d == nil || d.holder != replica {
			continue
		}
		a.At, a.NextAttemptAt = storedTime(a.At), storedTime(a.NextAttemptAt)
		sub.change(d, func(d *delivery) { deliveries.Settle(&d.Delivery, d.asked, &a) })
		s.letGo(d)
		switch w := &sub.webhook; {
		case a.Status == ports.DeliveryDelivered:
			w.FailingSince = time.Time{}
		case w.FailingSince.IsZero():
			w.FailingSince = a.At
		}
	}
	return nil
}

// delivery finds a delivery and its subscription; nil if it is gone.
func (s *Store) delivery(key ports.DeliveryKey) (*subscription, *delivery) {
	sub := s.webhooks[key.WebhookID]
	if sub == nil {
		return nil, nil
	}
	for _, d := range sub.deliveries[key.WorkflowID] {
		if d.Sequence == key.Sequence {
			return sub, d
		}
	}
	return sub, nil
}

// Redeliver makes one delivery PENDING and due now.
func (s *Store) Redeliver(ctx context.Context, key ports.DeliveryKey, once *ports.IdempotencyRecord, audit *ports.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	sub, d := s.delivery(key)
	switch {
	case d == nil:
		return ports.ErrNotFound
	case s.used(once):
		return ports.ErrIdempotencyKeyTaken
	}
	sub.askAgain(d, s.now())
	s.remember(s.workflows[key.WorkflowID], once)
	s.note(audit)
	return nil
}

// RecoverDeliveries makes FAILED deliveries PENDING and due now.
func (s *Store) RecoverDeliveries(ctx context.Context, webhookID string, since time.Time, once *ports.IdempotencyRecord, audit *ports.AuditEntry) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if s.used(once) {
		return 0, ports.ErrIdempotencyKeyTaken
	}
	n := 0
	if sub := s.webhooks[webhookID]; sub != nil {
		n = sub.recover(since, s.now())
	}
	if n > 0 {
		s.note(audit)
	}
	s.remember(nil, once.Of(n))
	return n, nil
}

// recover has everything FAILED since a time attempted again, and returns how many.
func (sub *subscription) recover(since, now time.Time) int {
	var failed []*delivery
	for d := range sub.listed[ports.DeliveryFailed].after(nil, false) {
		if d.CreatedAt.Before(since) {
			break
		}
		failed = append(failed, d)
	}
	for _, d := range failed {
		sub.askAgain(d, now)
	}
	return len(failed)
}

// dropDeliveries forgets the deliveries of a workflow.
func (s *Store) dropDeliveries(workflowID string) {
	for _, sub := range s.webhooks {
		for _, d := range sub.deliveries[workflowID] {
			sub.unlist(d)
			s.letGo(d)
		}
		delete(sub.deliveries, workflowID)
	}
}

// telling reports whether a delivery of a workflow will still be attempted.
func (s *Store) telling(workflowID string) bool {
	for _, sub := range s.webhooks {
		if !sub.webhook.Active {
			continue
		}
		for _, d := range sub.deliveries[workflowID] {
			if !d.NextAttemptAt.IsZero() {
				return true
			}
		}
	}
	return false
}

// remove forgets one delivery.
func (s *Store) remove(d *delivery) {
	sub := s.webhooks[d.WebhookID]
	sub.unlist(d)
	s.letGo(d)
	left := slices.DeleteFunc(sub.deliveries[d.WorkflowID], func(other *delivery) bool { return other == d })
	if sub.deliveries[d.WorkflowID] = left; len(left) == 0 {
		delete(sub.deliveries, d.WorkflowID)
	}
}

// disownDeliveries leaves what a replica holds to whoever claims it.
func (s *Store) disownDeliveries(replica string) {
	for d := range s.underWay[replica] {
		s.letGo(d) // deletes from the map; ranging over it allows that
	}
}
