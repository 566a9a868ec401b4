package sim

import (
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
)

// delivery is one command on its way to a participant and back.
type delivery struct {
	replica *replica
	cmd     domain.Dispatch
	ended   bool
}

// call is the pump beginning a delivery. It ends by the command's deadline.
func (r *replica) call(cmd domain.Dispatch) {
	if !r.lives() {
		return
	}
	s := r.sim
	if s.participants.onBus[cmd.Service] {
		r.overBus(cmd)
		return
	}
	d := &delivery{replica: r, cmd: cmd}
	patience := max(cmd.Deadline.Sub(r.clock()), 0)
	r.after(patience, func() { d.end(domain.Answer{Outcome: domain.Unknown, Error: &domain.StepError{Code: "TIMEOUT"}}) })
	s.trace.add(s.now, cmd.WorkflowID, r.name, "calls", cmd.CommandID, "#"+strconv.Itoa(cmd.Attempt))
	if s.weather.strikes(CommandLost) {
		return
	}
	way := s.between(time.Millisecond, 40*time.Millisecond)
	if s.weather.strikes(CommandLate) {
		way = s.between(time.Second, 5*time.Minute)
	}
	s.after(way, func() { d.arrive() })
	if s.weather.strikes(CommandTwice) {
		s.after(way+s.within(3*time.Minute), func() { s.again(&cmd) })
	}
}

// again is a bus bringing a command a second time. Its answer is not lost: it
// may be the only news of an effect, after a first answer said that there was none.
func (s *simulation) again(cmd *domain.Dispatch) {
	if !cmd.Undo {
		st := s.oracle.stories[cmd.WorkflowID]
		if forwardID(&st.state, st.template, st.shape.step[cmd.Step]) != cmd.CommandID {
			return // nobody listens any more: the step has another key by now
		}
		deedOf(s.participants.forward, cmd.CommandID, cmd.WorkflowID, cmd.Step).reported = true
	}
	// That a repeated delivery did nothing says nothing of the first one: a
	// participant behind a bus says such a thing only of what it got once.
	if a, silent := s.participants.attend(cmd); !silent && a.Outcome != domain.Retry {
		s.callback(cmd, a)
	}
}

// arrive is the command reaching its participant.
func (d *delivery) arrive() {
	s := d.replica.sim
	a, silent := s.participants.receive(&d.cmd)
	if silent || s.weather.strikes(AnswerLost) {
		return
	}
	back := s.between(time.Millisecond, 40*time.Millisecond)
	if s.weather.strikes(AnswerLate) {
		back = s.between(time.Second, 10*time.Minute)
	}
	s.after(back, func() {
		if d.ended || d.replica.dead { // a bus brings it all the same, to whoever listens
			s.callback(&d.cmd, a)
			return
		}
		d.replica.after(0, func() {
			if d.ended { // it slept until after the deadline
				s.callback(&d.cmd, a)
			}
			d.end(a)
		})
		if s.weather.strikes(AnswerTwice) {
			s.callback(&d.cmd, a)
		}
	})
}

// end is the delivery over, for the replica that began it.
func (d *delivery) end(a domain.Answer) {
	if d.ended {
		return
	}
	d.ended = true
	d.replica.pump.Done(d.replica.clock(), d.cmd, a)
}

// answered takes an answer to the partition, as Engine.answered does.
func (r *replica) answered(cmd domain.Dispatch, a domain.Answer) {
	a.CommandID, a.Attempt = cmd.CommandID, cmd.Attempt
	r.after(0, func() {
		r.sim.trace.add(r.sim.now, cmd.WorkflowID, r.name, "hears", string(a.Outcome), "for", cmd.CommandID, "#"+strconv.Itoa(cmd.Attempt))
		r.part.Handle(r.clock(), engine.Request{WorkflowID: cmd.WorkflowID, Command: a})
	})
}

// again is the pump asking whether an unanswered command is to be sent again.
func (r *replica) again(cmd domain.Dispatch) { r.after(0, func() { r.part.Repeat(cmd) }) }
