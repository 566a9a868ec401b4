package sim

import (
	"encoding/json"
	"slices"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// step is one event being judged: the state before and after it, and the
// events it was committed with.
type step struct {
	oracle     *oracle
	story      *story
	prev, next *domain.State
	event      *domain.Event
	batch      []domain.Event
	at         int
}

func (p *step) broken(promise, format string, args ...any) {
	p.oracle.sim.broken(promise, p.story.id, format, args...)
}

// event judges one event.
func (o *oracle) event(p *step) {
	p.lifecycle()
	switch p.event.Type {
	case domain.WorkflowStarted:
		for _, f := range p.event.Start.First {
			p.forwardSent(p.story.shape.step[f.Step], 1)
		}
	case domain.StepStarted:
		p.forwardSent(p.story.shape.step[p.event.Step], p.event.Attempt)
	case domain.UndoStarted:
		p.undoSent(p.story.shape.undo[p.event.Step])
	case domain.StepDeferred, domain.UndoDeferred:
		c := p.command()
		c.out, c.doubt = false, c.doubt || p.event.Outcome == domain.Unknown
	case domain.StepRetryPlanned, domain.UndoRetryPlanned:
		p.attemptFailed()
	case domain.StepSucceeded, domain.UndoSucceeded, domain.StepSucceededLate:
		p.succeeded()
	case domain.StepGaveUp, domain.UndoGaveUp:
		p.gaveUp()
	case domain.CompensationStarted:
		p.compensationStarted()
	case domain.Compensated:
		p.compensated()
	case domain.WorkflowParked:
		p.parked()
	case domain.WorkflowResumed:
		if p.event.Resume.Reset {
			p.story.resets++
		}
	case domain.WorkflowCompleted, domain.WorkflowFailed, domain.WorkflowCancelled:
		p.ended()
	}
}

// notices: whoever subscribed to an event is told of it by the change that
// makes it durable, once and in the order of the log, and of nothing else (E3).
func (o *oracle) notices(st *story, c *ports.Change, events []domain.Event) {
	told := c.Notices
	for i := range events {
		name := events[i].Announced(st.template)
		if name == "" {
			continue
		}
		seq := c.Expected + i + 1
		if len(told) == 0 || told[0].Sequence != seq || told[0].Event != string(name) || !told[0].At.Equal(events[i].At) {
			o.sim.broken("E3", st.id, "event %d is not told as %s", seq, name)
			return
		}
		told = told[1:]
	}
	if len(told) > 0 {
		o.sim.broken("E3", st.id, "told of event %d as %s, which is none", told[0].Sequence, told[0].Event)
	}
}

// legal says which statuses may follow which (I3). What ends a run is left
// only by opening another.
var legal = map[domain.Status][]domain.Status{
	"":                  {domain.Started},
	domain.Started:      {domain.InProgress, domain.Retrying, domain.Parked, domain.Compensating, domain.Cancelling, domain.Completed},
	domain.InProgress:   {domain.Retrying, domain.Parked, domain.Compensating, domain.Cancelling, domain.Completed},
	domain.Retrying:     {domain.InProgress, domain.Parked, domain.Compensating, domain.Cancelling, domain.Completed},
	domain.Parked:       {domain.InProgress, domain.Retrying, domain.Compensating, domain.Cancelling},
	domain.Compensating: {domain.Parked, domain.Cancelling, domain.Failed, domain.Cancelled},
	domain.Cancelling:   {domain.Parked, domain.Cancelled},
	domain.Completed:    {domain.Compensating},
	domain.Failed:       {domain.InProgress, domain.Retrying, domain.Compensating},
	domain.Cancelled:    {domain.Cancelling, domain.Compensating},
}

var legalSaga = map[domain.SagaState][]domain.SagaState{
	"":                            {domain.SagaActive},
	domain.SagaActive:             {domain.SagaCompensating, domain.SagaCompleted},
	domain.SagaCompensating:       {domain.SagaCompensationFailed, domain.SagaCompensated},
	domain.SagaCompensationFailed: {domain.SagaCompensating},
	domain.SagaCompleted:          {domain.SagaCompensating},
	domain.SagaCompensated:        {domain.SagaActive, domain.SagaCompensating},
}

// lifecycle: legal transitions, one terminal event per run and nothing after
// it, time that does not run backwards (I3, I4).
func (p *step) lifecycle() {
	prev, next, e := p.prev, p.next, p.event
	if prev.Status != next.Status && !slices.Contains(legal[prev.Status], next.Status) {
		p.broken("I3", "%s made %s of %s", e.Type, next.Status, prev.Status)
	}
	if prev.Saga != next.Saga && !slices.Contains(legalSaga[prev.Saga], next.Saga) {
		p.broken("I3", "%s made the saga %s of %s", e.Type, next.Saga, prev.Saga)
	}
	if next.Version != prev.Version+1 || e.At.Before(prev.UpdatedAt) {
		p.broken("I4", "%s at %s follows version %d of %s", e.Type, e.At, prev.Version, prev.UpdatedAt)
	}
	if prev.Status.Terminal() && next.Run != prev.Run+1 && !p.opensRun() {
		p.broken("I4", "%s after the end of run %d", e.Type, prev.Run)
	}
	if !prev.Status.Terminal() && next.Run != max(prev.Run, 1) {
		p.broken("I3", "run %d opened while run %d had not ended", next.Run, prev.Run)
	}
}

// opensRun: a request to compensate stands just before the run that it opens.
func (p *step) opensRun() bool {
	return p.event.Type == domain.CompensateRequested && p.at+1 < len(p.batch) && p.batch[p.at+1].Type == domain.CompensationStarted
}

// forwardID and undoID are the keys that stand for a step and an undo in s.
func forwardID(s *domain.State, t *domain.Template, i int) string {
	return domain.CommandID(s.SagaID, s.Steps[i].Run, t.Steps[i].Name, false, s.Steps[i].Key)
}

func undoID(s *domain.State, t *domain.Template, c int) string {
	return domain.CommandID(s.SagaID, s.Undos[c].Run, t.Compensations[c].Name, true, s.Undos[c].Key)
}

// command is the account of the command that the event is about.
func (p *step) command() *command {
	id, undo := p.commandID()
	c := p.story.commands[id]
	if c == nil {
		c = &command{step: p.event.Step, undo: undo}
		p.story.commands[id] = c
	}
	return c
}

func (p *step) commandID() (id string, undo bool) {
	if i, ok := p.story.shape.step[p.event.Step]; ok {
		return forwardID(p.next, p.story.template, i), false
	}
	return undoID(p.next, p.story.template, p.story.shape.undo[p.event.Step]), true
}

// mayHaveEffect is the oracle's own view of step i in state s.
func (p *step) mayHaveEffect(s *domain.State, i int) bool {
	return p.story.commands[forwardID(s, p.story.template, i)].mayHaveEffect()
}

// lookup resolves a condition's look-ups in state s.
func lookup(s *domain.State) domain.Lookup {
	context := s.Context()
	return func(root string, path []string) (json.RawMessage, bool) {
		if root == domain.RootInput {
			return domain.LookupPath(s.Input, path)
		}
		v, ok := context[path[0]]
		if !ok || len(path) == 1 {
			return v, ok
		}
		return domain.LookupPath(v, path[1:])
	}
}

// toUndo reports whether undo c belongs to the compensation of state s: its
// step may have had an effect, it is in scope, and its condition is not
// certainly false (C1, C2).
func (p *step) toUndo(s *domain.State, c int) bool {
	i := p.story.shape.stepOf[c]
	if i < 0 || !p.mayHaveEffect(s, i) {
		return false
	}
	if s.Compensation != nil && s.Compensation.Scope != nil && !slices.Contains(s.Compensation.Scope, i) {
		return false
	}
	return p.story.template.Compensations[c].Condition.Eval(lookup(s)) != domain.False
}

// sent takes down an attempt.
func (p *step) sent(id, name string, undo bool, attempt int) {
	c := p.story.commands[id]
	if c == nil {
		c = &command{step: name, undo: undo}
		p.story.commands[id] = c
	}
	if attempt < c.attempts {
		p.broken("K1", "attempt %d of %s follows attempt %d", attempt, id, c.attempts)
	}
	c.attempts, c.out, c.refused = attempt, true, false
}

// attemptFailed: a RETRY is believed, anything else leaves doubt; the next
// attempt keeps to the policy (F3).
func (p *step) attemptFailed() {
	c := p.command()
	c.out = false
	if p.event.Outcome != domain.Retry {
		c.doubt = true
	}
	p.wasSent()
	p.onSchedule()
}

// wasSent: whoever lets a command time out has sent it itself (K3): its holder
// is the one reason why a command that is out moves again.
func (p *step) wasSent() {
	if p.event.Error == nil || p.event.Error.Code != domain.CodeTimeout || p.oracle.writer == nil {
		return
	}
	st := p.prevStep()
	id, _ := p.commandID()
	if !st.Accepted && !p.oracle.writer.sent[sending{id, st.Attempt}] {
		p.broken("K3", "%s lets %s #%d time out, which it never sent", p.oracle.writer.name, id, st.Attempt)
	}
}

// prevStep is the step or undo of the event, before it.
func (p *step) prevStep() *domain.StepState {
	if i, ok := p.story.shape.step[p.event.Step]; ok {
		return &p.prev.Steps[i]
	}
	return &p.prev.Undos[p.story.shape.undo[p.event.Step]]
}

// succeeded: no success is recorded that the participant did not have (K5).
func (p *step) succeeded() {
	c := p.command()
	c.succeeded, c.out, c.doubt, c.refused = true, false, false, false
	id, undo := p.commandID()
	all := p.oracle.sim.participants.forward
	if undo {
		all = p.oracle.sim.participants.undos
	}
	d := all[id]
	if d == nil || !d.done || !undo && string(d.result) != string(p.event.Result) {
		p.broken("K5", "%s recorded for %s, which its participant did not do", p.event.Type, id)
	}
}

// gaveUp: a rejection is recorded only if the participant made it; a failed
// undo is in plain sight (C5).
func (p *step) gaveUp() {
	c := p.command()
	id, undo := p.commandID()
	c.out = false
	switch p.event.Outcome {
	case domain.Rejected:
		c.refused, c.doubt = true, false
		d := p.oracle.sim.participants.forward[id]
		if undo {
			d = p.oracle.sim.participants.undos[id]
		}
		if d == nil || d.refusal == "" && !d.tombstone {
			p.broken("K5", "a rejection recorded for %s, which its participant did not make", id)
		}
	case domain.Retry:
	default:
		c.doubt = true
	}
	p.wasSent()
	if undo && p.story.shape.stepOf[p.story.shape.undo[p.event.Step]] >= 0 && p.prev.Parked == nil {
		if p.at+1 >= len(p.batch) || p.batch[p.at+1].Type != domain.WorkflowParked {
			p.broken("C5", "%s failed and the workflow is not parked", p.event.Step)
		}
	}
}
