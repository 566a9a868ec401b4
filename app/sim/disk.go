package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// errBroken is a failure of the store that says nothing of what it did.
var errBroken = fmt.Errorf("%w: connection reset", ports.ErrUnavailable)

// disk is a replica's way to the store: group commit, delays and failures.
type disk struct {
	replica *replica
	queue   []ports.Change
	writing int
}

func (d *disk) busy() bool { return len(d.queue) > 0 || d.writing > 0 }

// add queues a change; it is written with whatever else is ready.
func (d *disk) add(c ports.Change) {
	d.queue = append(d.queue, c)
	if d.writing < commitLanes {
		d.writing++
		// The lane takes what is queued when it gets to run, not before.
		d.replica.after(d.replica.sim.within(2*time.Millisecond), d.write)
	}
}

// write is one lane taking one batch.
func (d *disk) write() {
	n := min(len(d.queue), ports.MaxBatch)
	if n == 0 {
		d.writing--
		return
	}
	batch := append([]ports.Change(nil), d.queue[:n]...)
	d.queue = append([]ports.Change(nil), d.queue[n:]...)
	s := d.replica.sim
	s.after(s.disturbedDelay(), func() { d.reached(batch) })
}

// reached is the store receiving a batch, whatever has become of its sender.
func (d *disk) reached(batch []ports.Change) {
	s, r := d.replica.sim, d.replica
	errs := make([]error, len(batch))
	switch {
	case s.storeFails():
		fill(errs, errBroken)
	case s.weather.strikes(StoreTooLate):
		fill(errs, errBroken)
		s.after(s.between(10*time.Millisecond, 20*time.Second), func() { s.commit(r, batch) })
	default:
		errs = s.commit(r, batch)
		for i := range errs {
			if errs[i] == nil && s.weather.strikes(StoreAmbiguous) {
				errs[i] = errBroken
			}
		}
	}
	back := s.disturbedDelay()
	for i := range batch {
		r.after(back, func() { d.told(batch[i].Row.WorkflowID, errs[i]) })
	}
	r.after(back, d.write)
}

func fill(errs []error, err error) {
	for i := range errs {
		errs[i] = err
	}
}

func (s *simulation) commit(r *replica, batch []ports.Change) []error {
	s.oracle.writer = r
	errs := s.port.Commit(context.Background(), batch)
	s.oracle.writer = nil
	return errs
}

func (d *disk) told(workflowID string, err error) {
	r := d.replica
	if err != nil {
		r.sim.trace.add(r.sim.now, workflowID, r.name, "is told of its commit:", err.Error())
	}
	r.part.Committed(r.clock(), workflowID, err)
}

// storeFails reports whether a call of the store fails without having an effect.
func (s *simulation) storeFails() bool {
	return s.now < s.storeDown || s.weather.strikes(StoreRefuses)
}

// disturbedDelay is how long a message to or from the store takes.
func (s *simulation) disturbedDelay() time.Duration {
	if s.weather.strikes(StoreSlow) {
		return s.between(100*time.Millisecond, 8*time.Second)
	}
	return s.within(2 * time.Millisecond)
}

// read loads a workflow for a replica and calls back with what came of it.
func (r *replica) read(workflowID string, then func(s domain.State, events []domain.Event, row ports.Row, err error)) {
	s := r.sim
	s.after(s.disturbedDelay(), func() {
		var state domain.State
		var events []domain.Event
		rec, err := ports.Record{}, error(errBroken)
		if !s.storeFails() {
			rec, err = s.port.Load(context.Background(), workflowID)
		}
		if err == nil {
			state, events, err = s.templates.restore(rec)
		}
		if err != nil && !errors.Is(err, ports.ErrNotFound) && !errors.Is(err, ports.ErrUnavailable) {
			s.broken("I4", workflowID, "a record cannot be read: %v", err)
			return
		}
		r.after(s.disturbedDelay(), func() { then(state, events, rec.Row, err) })
	})
}

// What follows is engine.World.

// Load reads a workflow for the partition.
func (r *replica) Load(workflowID string) {
	if !r.lives() {
		return
	}
	r.read(workflowID, func(state domain.State, events []domain.Event, row ports.Row, err error) {
		r.sim.trace.add(r.sim.now, workflowID, r.name, "loads version", strconv.Itoa(state.Version), "of", row.Owner)
		r.part.Loaded(r.clock(), workflowID, state, row.Owner, events[min(row.Published, len(events)):], err)
	})
}

// Commit queues a change.
func (r *replica) Commit(c ports.Change) {
	if r.lives() {
		r.disk.add(c)
	}
}

// Send gives a command to the pump.
func (r *replica) Send(cmd domain.Dispatch) {
	if !r.lives() {
		return
	}
	r.sim.oracle.sending(r, &cmd)
	r.sent[sending{cmd.CommandID, cmd.Attempt}] = true
	r.pump.Send(r.clock(), cmd)
}

// Changed has nobody to tell.
func (r *replica) Changed(ports.Transition) {}

// UUID is the next ID.
func (r *replica) UUID() string { return r.sim.uuid() }

// Random is a random number.
func (r *replica) Random() uint64 { return r.sim.rng.Uint64() }
