package sim

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// redeliverAfter is when a bus brings a message again that nobody acknowledged.
	redeliverAfter = 30 * time.Second
	publishPause   = 500 * time.Millisecond
)

// overBus is the pump giving a command to the bus: it hears only whether the
// bus has it.
func (r *replica) overBus(cmd domain.Dispatch) {
	s := r.sim
	s.trace.add(s.now, cmd.WorkflowID, r.name, "publishes", cmd.CommandID, "#"+strconv.Itoa(cmd.Attempt))
	a := domain.Answer{Outcome: domain.Sent}
	switch {
	case s.now < s.busDown:
		a = domain.Answer{Outcome: domain.Deferred, RetryAfter: time.Second, Error: &domain.StepError{Code: "BUS_UNAVAILABLE"}}
	case s.weather.strikes(PublishDoubt):
		a = unknown()
		if s.rng.IntN(2) == 0 {
			s.deliver(&cmd)
		}
	default:
		s.deliver(&cmd)
	}
	r.after(s.between(time.Millisecond, 20*time.Millisecond), func() { r.pump.Done(r.clock(), cmd, a) })
}

// deliver is a bus bringing a command to its participant, or losing it.
func (s *simulation) deliver(cmd *domain.Dispatch) {
	if s.weather.strikes(CommandLost) {
		return
	}
	way := s.between(time.Millisecond, 40*time.Millisecond)
	if s.weather.strikes(CommandLate) {
		way = s.between(time.Second, 5*time.Minute)
	}
	s.after(way, func() { s.attended(cmd) })
	if s.weather.strikes(CommandTwice) {
		s.after(way+s.within(3*time.Minute), func() { s.again(cmd) })
	}
}

// attended is a command reaching its participant, whose answer goes to the bus.
func (s *simulation) attended(cmd *domain.Dispatch) {
	a, silent := s.participants.receive(cmd)
	if silent || s.weather.strikes(AnswerLost) {
		return
	}
	way := s.between(time.Millisecond, 40*time.Millisecond)
	if s.weather.strikes(AnswerLate) {
		way = s.between(time.Second, 10*time.Minute)
	}
	s.after(way, func() { s.reply(cmd, a) })
	if s.weather.strikes(AnswerTwice) {
		s.after(way+s.within(3*time.Minute), func() { s.reply(cmd, a) })
	}
}

// reply is the bus bringing an answer to any replica, again and again until one
// acknowledges it, which it does after its commit.
func (s *simulation) reply(cmd *domain.Dispatch, a domain.Answer) {
	acknowledged := false
	s.after(redeliverAfter, func() {
		if !acknowledged {
			s.reply(cmd, a)
		}
	})
	r := s.anyReplica()
	if r == nil {
		return
	}
	a.CommandID, a.Attempt = cmd.CommandID, cmd.Attempt
	if a.Outcome == domain.Retry { // as Engine.Reply does
		a.Outcome = domain.Unknown
	}
	r.after(0, func() {
		s.trace.add(s.now, cmd.WorkflowID, r.name, "is brought", string(a.Outcome), "for", cmd.CommandID, "#"+strconv.Itoa(cmd.Attempt))
		r.part.Handle(r.clock(), engine.Request{WorkflowID: cmd.WorkflowID, Command: a, Reply: func(res engine.Result) {
			acknowledged = res.Err == nil || errors.Is(res.Err, domain.ErrNotWaiting) ||
				errors.Is(res.Err, domain.ErrOtherAnswer) || errors.Is(res.Err, domain.ErrUnknownCommand)
		}})
	})
}

// relay brings a replica's events to the bus, as engine.relay does.
type relay struct {
	replica *replica
	queues  map[string][]engine.Publication
}

// Publish queues the events of a workflow.
func (r *replica) Publish(p engine.Publication) {
	if !r.lives() {
		return
	}
	if r.relay.queues == nil {
		r.relay.queues = map[string][]engine.Publication{}
	}
	queue, busy := r.relay.queues[p.WorkflowID]
	r.relay.queues[p.WorkflowID] = append(queue, p)
	if !busy {
		r.relay.emit(p, 0)
	}
}

// emit publishes one event, and the next when the bus has it.
func (y *relay) emit(p engine.Publication, at int) {
	r, s := y.replica, y.replica.sim
	if at == len(p.Events) {
		r.part.Emitted(r.clock(), p.WorkflowID, p.First+at-1)
		if y.queues[p.WorkflowID] = y.queues[p.WorkflowID][1:]; len(y.queues[p.WorkflowID]) == 0 {
			delete(y.queues, p.WorkflowID)
			return
		}
		p, at = y.queues[p.WorkflowID][0], 0
	}
	doubt, down := s.weather.strikes(PublishDoubt), s.now < s.busDown
	if !down && (!doubt || s.rng.IntN(2) == 0) {
		s.oracle.published(r, &p, at)
	}
	r.after(s.between(time.Millisecond, 20*time.Millisecond), func() {
		if doubt || down {
			r.after(publishPause, func() { y.emit(p, at) })
			return
		}
		y.emit(p, at+1)
	})
}

// Settled has the store forget an entry of the outbox, sooner or later.
func (r *replica) Settled(done ports.Published) {
	if !r.lives() {
		return
	}
	s := r.sim
	s.after(s.disturbedDelay(), func() {
		if s.storeFails() {
			r.after(publishPause, func() { r.Settled(done) })
			return
		}
		_ = s.port.Published(context.Background(), []ports.Published{done})
	})
}

// published is an event reaching the bus: it must be committed, and on its
// first time every one before it must have arrived (E1, E2, E4).
func (o *oracle) published(r *replica, p *engine.Publication, at int) {
	st := o.stories[p.WorkflowID]
	seq := p.First + at
	if st == nil || seq > st.state.Version {
		o.sim.broken("E1", p.WorkflowID, "%s publishes event %d, which is not committed", r.name, seq)
		return
	}
	if seq > st.published+1 {
		o.sim.broken("E4", p.WorkflowID, "%s publishes event %d, and event %d has not been published", r.name, seq, st.published+1)
		return
	}
	if e := &st.log[seq-1]; e.Type != p.Events[at].Type || e.Step != p.Events[at].Step || !e.At.Equal(p.Events[at].At) {
		o.sim.broken("E1", p.WorkflowID, "%s publishes %s as event %d, which it is not", r.name, p.Events[at].Type, seq)
	}
	st.published = max(st.published, seq)
}
