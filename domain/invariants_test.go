package domain

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// effectLedger keeps its own account of what may have had an effect, from the
// events alone: by key, as the participants see it.
type effectLedger struct {
	template *Template
	entries  map[string]*ledgerEntry
	resets   int
}

type ledgerEntry struct{ succeeded, refused, doubt, out bool }

func newEffectLedger(t *Template) *effectLedger {
	return &effectLedger{template: t, entries: map[string]*ledgerEntry{}}
}

func (l *effectLedger) of(s *State, name string) *ledgerEntry {
	id := ""
	if i, ok := l.template.graph.index[name]; ok {
		id = CommandID(s.SagaID, s.Steps[i].Run, name, false, s.Steps[i].Key)
	} else {
		c := l.template.graph.undos[name]
		id = CommandID(s.SagaID, s.Undos[c].Run, name, true, s.Undos[c].Key)
	}
	e := l.entries[id]
	if e == nil {
		e = &ledgerEntry{}
		l.entries[id] = e
	}
	return e
}

func (l *effectLedger) mayHaveEffect(s *State, i int) bool {
	e := l.of(s, l.template.Steps[i].Name)
	return e.succeeded || !e.refused && (e.doubt || e.out)
}

// toUndo reports whether undo c belongs to the compensation of s.
func (l *effectLedger) toUndo(s *State, c int) bool {
	i := l.template.graph.stepOf[c]
	return i >= 0 && s.inScope(i) && l.mayHaveEffect(s, i) &&
		l.template.Compensations[c].Condition.Eval(lookup(s.Input, s.Context())) != False
}

// note takes an event down.
func (l *effectLedger) note(next *State, e *Event) {
	switch e.Type {
	case WorkflowStarted:
		for _, f := range e.Start.First {
			l.of(next, f.Step).out = true
		}
	case StepStarted, UndoStarted:
		x := l.of(next, e.Step)
		x.out, x.refused = true, false
	case StepDeferred, UndoDeferred, StepRetryPlanned, UndoRetryPlanned, StepGaveUp, UndoGaveUp:
		x := l.of(next, e.Step)
		x.out = false
		switch e.Outcome {
		case Retry, "":
		case Rejected:
			*x = ledgerEntry{refused: true}
		default:
			x.doubt = true
		}
	case StepSucceeded, UndoSucceeded, StepSucceededLate:
		*l.of(next, e.Step) = ledgerEntry{succeeded: true}
	case WorkflowResumed:
		if e.Resume.Reset {
			l.resets++
		}
	}
}

// judgement is one event of a life: the states around it and what it came with.
type judgement struct {
	t          *testing.T
	prev, next *State
	event      *Event
	batch      []Event
	at         int
	ledger     *effectLedger
	command    Command
}

func (j *judgement) fail(format string, args ...any) {
	j.t.Helper()
	j.t.Fatalf("%T → %s %s: %s", j.command, j.event.Type, j.event.Step, fmt.Sprintf(format, args...))
}

func (j *judgement) judge() {
	j.lifecycle()
	switch j.event.Type {
	case StepStarted:
		j.forwardSent()
	case UndoStarted:
		j.undoSent()
	case CompensationStarted:
		j.compensationBegins()
	case Compensated, WorkflowFailed, WorkflowCancelled:
		j.undoneExactly()
	case WorkflowCompleted:
		for i := range j.prev.Steps {
			if !j.prev.Steps[i].settled() {
				j.fail("%s is %s", j.prev.Template.Steps[i].Name, j.prev.Steps[i].Status)
			}
		}
	}
	j.ledger.note(j.next, j.event)
	for i := range j.next.Steps {
		// The other way round needs no check: doubt about a success is harmless.
		if j.ledger.mayHaveEffect(j.next, i) && !j.next.Steps[i].MayHaveEffect() {
			j.fail("%s may have had an effect and is %+v", j.next.Template.Steps[i].Name, j.next.Steps[i])
		}
	}
}

// mayFollow are the legal transitions of a status.
var mayFollow = map[Status][]Status{
	"":           {Started},
	Started:      {InProgress, Retrying, Parked, Compensating, Cancelling, Completed},
	InProgress:   {Retrying, Parked, Compensating, Cancelling, Completed},
	Retrying:     {InProgress, Parked, Compensating, Cancelling, Completed},
	Parked:       {InProgress, Retrying, Compensating, Cancelling},
	Compensating: {Parked, Cancelling, Failed, Cancelled},
	Cancelling:   {Parked, Cancelled},
	Completed:    {Compensating},
	Failed:       {InProgress, Retrying, Compensating},
	Cancelled:    {Cancelling, Compensating},
}

// lifecycle: numbered without a gap, legal transitions, one terminal event per
// run and nothing after it but what opens the next.
func (j *judgement) lifecycle() {
	prev, next := j.prev, j.next
	if next.Version != prev.Version+1 || j.event.At.Before(prev.UpdatedAt) {
		j.fail("version %d follows %d", next.Version, prev.Version)
	}
	if prev.Status != next.Status && !slices.Contains(mayFollow[prev.Status], next.Status) {
		j.fail("%s follows %s", next.Status, prev.Status)
	}
	request := j.event.Type == CompensateRequested && j.at+1 < len(j.batch) && j.batch[j.at+1].Type == CompensationStarted
	switch {
	case prev.Status.Terminal() && next.Run != prev.Run+1 && !request:
		j.fail("run %d had ended", prev.Run)
	case !prev.Status.Terminal() && next.Run != max(prev.Run, 1):
		j.fail("run %d while run %d had not ended", next.Run, prev.Run)
	case j.event.Type.Terminal() != (next.Status.Terminal() && !prev.Status.Terminal()) && !request:
		j.fail("a run ended without its event, or an event did not end it")
	}
}

// forwardSent: after its predecessors, never once compensation is decided.
func (j *judgement) forwardSent() {
	i := j.prev.Template.graph.index[j.event.Step]
	if j.prev.Saga != SagaActive || j.prev.Parked != nil {
		j.fail("sent while %s", j.prev.Saga)
	}
	for _, p := range j.prev.Template.graph.preds[i] {
		if !j.prev.Steps[p].settled() {
			j.fail("sent before %s is settled", j.prev.Template.Steps[p].Name)
		}
	}
	if j.next.Steps[i].Spent > j.prev.Template.Steps[i].RetryPolicy.MaxAttempts {
		j.fail("attempt %d of its budget", j.next.Steps[i].Spent)
	}
	if j.next.Steps[i].Key > j.prev.Steps[i].Key && !j.prev.Steps[i].Refused {
		j.fail("another key although nobody refused the last")
	}
}

// undoSent: only what may have had an effect, and behind the barrier.
func (j *judgement) undoSent() {
	g := j.prev.Template.graph
	c := g.undos[j.event.Step]
	if g.stepOf[c] < 0 {
		if j.prev.Saga != SagaCompensated {
			j.fail("the hook while %s", j.prev.Saga)
		}
		return
	}
	if j.prev.Saga != SagaCompensating || j.prev.Parked != nil || j.prev.forwardInFlight() {
		j.fail("sent while %s", j.prev.Saga)
	}
	if j.prev.Undos[c].Status == StepPending && !j.prev.Steps[g.stepOf[c]].MayHaveEffect() {
		j.fail("there is nothing to undo")
	}
	for other, k := range g.stepOf {
		if k >= 0 && g.before[k][g.stepOf[c]] && j.ledger.toUndo(j.prev, other) && j.prev.Undos[other].Status != StepCompleted {
			j.fail("sent while %s is %s", j.prev.Template.Compensations[other].Name, j.prev.Undos[other].Status)
		}
	}
}

// compensationBegins: after a pivot only by a person's word, and never leaving
// a later effect that has an undo standing.
func (j *judgement) compensationBegins() {
	c := j.event.Compensation
	byHand := j.at > 0 && (j.batch[j.at-1].Type == CancelRequested && j.batch[j.at-1].Cancel.Force || j.batch[j.at-1].Type == CompensateRequested)
	if j.prev.PastPivot() && !byHand && !c.Late {
		j.fail("by itself after the pivot")
	}
	if c.Scope == nil || c.Late {
		return
	}
	g := j.prev.Template.graph
	for i := range j.prev.Steps {
		if !slices.Contains(c.Scope, i) && g.undoOf[i] >= 0 && j.ledger.mayHaveEffect(j.prev, i) {
			j.fail("leaves %s standing", j.prev.Template.Steps[i].Name)
		}
	}
}

// undoneExactly: COMPENSATED is said only of what was.
func (j *judgement) undoneExactly() {
	g := j.prev.Template.graph
	for c, i := range g.stepOf {
		// A condition counts as it was when the saga was compensated: what
		// succeeds later may change what it reads.
		if cond := j.prev.Template.Compensations[c].Condition; j.event.Type != Compensated && !cond.IsZero() && !cond.IsLabel() {
			continue
		}
		if i >= 0 && j.ledger.toUndo(j.prev, c) && j.prev.Undos[c].Status != StepCompleted {
			j.fail("%s is %s", j.prev.Template.Compensations[c].Name, j.prev.Undos[c].Status)
		}
		if i >= 0 && j.prev.Undos[c].Status == StepCompleted && !j.prev.Steps[i].MayHaveEffect() {
			j.fail("%s undid what had no effect", j.prev.Template.Compensations[c].Name)
		}
	}
}

// fuzzTemplate is one of the test templates, or one made of bytes.
func fuzzTemplate(t testing.TB, r *bytesReader) *Template {
	switch r.below(4) {
	case 0:
		return loadTemplate(t, "order")
	case 1:
		return loadTemplate(t, "branches")
	}
	data, err := json.Marshal(templateOf(r))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := ParseTemplate(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return tmpl
}

type object = map[string]any

// templateOf makes a valid template of bytes: up to five steps in any order,
// with or without undos, policies, conditions, a pivot, a hook and a deadline.
func templateOf(r *bytesReader) object {
	policies := []string{"COMPENSATE", "COMPENSATE", "PARK", "CONTINUE"}
	pivotAt := r.below(8) // beyond the last step: none
	var steps, undos []object
	for i := range 1 + r.below(5) {
		name := fmt.Sprintf("S%d", i)
		step := object{"name": name, "service": "s", "action": "a", "timeout": "PT30S", "onRejected": policies[r.below(4)],
			"retryPolicy": object{"maxAttempts": 1 + r.below(3), "backoffMultiplier": 2}}
		after := []string{}
		for k := range i {
			if r.one(2) || i > pivotAt && k == pivotAt {
				after = append(after, fmt.Sprintf("S%d", k))
			}
		}
		step["after"] = after
		exhausted := policies[r.below(4)]
		switch {
		case i == pivotAt:
			step["kind"], step["onRejected"] = "pivot", "COMPENSATE"
			exhausted = policies[r.below(3)]
		case i > pivotAt:
			step["kind"] = "retriable"
		}
		step["onExhausted"] = exhausted
		if exhausted == "PARK" && r.one(2) {
			step["parkFor"] = "PT5M"
		}
		if i != pivotAt && r.one(4) {
			step["condition"] = "input.amount > 50"
		}
		if r.one(5) {
			step["parameters"] = object{"v": "{{context.v}}"}
		}
		steps = append(steps, step)
		if !r.one(4) {
			undo := object{"name": "U" + name, "compensates": name, "service": "s", "action": "u"}
			if r.one(4) {
				undo["condition"] = "context.v == 1"
			}
			if r.one(5) {
				undo["parameters"] = object{"v": "{{context.v}}"}
			}
			undos = append(undos, undo)
		}
	}
	if r.one(3) {
		undos = append(undos, object{"name": "HOOK", "service": "s", "action": "h"})
	}
	t := object{"templateId": "tmpl-fuzz", "name": "Fuzz", "type": "FUZZ", "version": "1", "steps": steps, "compensationSteps": undos}
	if r.one(3) {
		t["timeout"] = "PT10M"
	}
	return t
}
