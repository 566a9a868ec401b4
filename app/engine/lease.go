package engine

import (
	"context"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// keepLease renews this replica's lease three times per lease.
func (e *Engine) keepLease() {
	every := time.NewTicker(max(e.cfg.Lease/3, 10*time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-every.C:
		}
		ctx, cancel := context.WithTimeout(e.ctx, e.cfg.Lease)
		err := e.store.Renew(ctx, e.cfg.Replica, e.cfg.Lease)
		cancel()
		// Whatever another replica takes over without a lease of ours, the store
		// refuses our changes to it: nothing has to be stopped. But nothing more
		// is claimed either; it would be taken away again at once.
		e.leased.Store(err == nil)
		if err != nil && e.ctx.Err() == nil {
			e.log.Warn("lease not renewed", "error", err)
		}
	}
}

// claim takes over what is due and held by nobody, and what a dead replica held.
func (e *Engine) claim() {
	pause := min(max(e.cfg.Lease/20, minClaimEvery), maxClaimEvery)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var asked chan<- struct{}
		select {
		case <-e.ctx.Done():
			return
		case <-timer.C:
		case asked = <-e.look:
		}
		more := e.claimOnce()
		if asked != nil {
			close(asked)
		}
		if e.closed.Load() {
			return
		}
		if more {
			timer.Reset(0)
		} else {
			timer.Reset(pause + time.Duration(e.entropy.Random()%uint64(pause/4+1)))
		}
	}
}

// claimOnce claims one batch and reports whether there may be more.
func (e *Engine) claimOnce() bool {
	room := e.cfg.MaxHeld - e.held()
	if room <= 0 || e.closed.Load() || !e.leased.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(e.ctx, storeTimeout)
	defer cancel()
	if !e.settleClaim(ctx) {
		return false
	}
	e.claimOwed(ctx)
	limit := min(room, claimBatch)
	records, err := e.store.Claim(ctx, e.cfg.Replica, limit)
	if err != nil {
		e.claimFailed("claim failed", err)
		return false
	}
	e.take(ctx, records, "workflow cannot be continued", (*Partition).Adopt)
	return len(records) == limit
}

func (e *Engine) claimFailed(what string, err error) {
	e.claimInDoubt = e.clock.Now()
	if e.ctx.Err() == nil {
		e.log.Warn(what, "error", err)
	}
}

// take gives claimed workflows to their partitions. One that cannot be restored
// is left, and said so as complaint.
func (e *Engine) take(ctx context.Context, records []ports.Record, complaint string, give func(*Partition, time.Time, domain.State, []domain.Event)) {
	for _, rec := range records {
		snap, err := e.templates.restore(ctx, rec)
		if err != nil {
			e.log.Error(complaint, "workflowId", rec.Row.WorkflowID, "error", err)
			continue
		}
		unpublished := unpublished(snap, rec.Row)
		e.loopOf(snap.State.WorkflowID).post(func(p *Partition, now time.Time) { give(p, now, snap.State, unpublished) })
	}
}

// settleClaim makes good for a claim that failed without a verdict. It may have
// made this replica the holder of workflows that it never heard of, and no
// other replica would take them from a live holder. So once the store can no
// longer be at it, everything is given up and claimed anew; what is in hand
// finds out by the store's refusal and goes on. It reports whether claims may go on.
func (e *Engine) settleClaim(ctx context.Context) bool {
	if e.claimInDoubt.IsZero() || e.clock.Now().Sub(e.claimInDoubt) < storeTimeout {
		return true
	}
	err := e.store.Release(ctx, e.cfg.Replica)
	if err == nil {
		err = e.store.Renew(ctx, e.cfg.Replica, e.cfg.Lease)
	}
	if err != nil {
		if e.ctx.Err() == nil {
			e.log.Warn("held workflows not released after a failed claim", "error", err)
		}
		return false
	}
	e.claimInDoubt = time.Time{}
	return true
}

// expireQueues keeps waiting commands from running into their deadlines unsent.
func (e *Engine) expireQueues() {
	every := time.NewTicker(ExpireEvery)
	defer every.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-every.C:
			e.pump.Expire(e.clock.Now())
		}
	}
}
