package domain

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Decide says what happens to a workflow in state s when c arrives. It is total
// and deterministic and changes nothing: the events are the whole answer. No
// events and no error means that c changes nothing.
func Decide(s State, c Command) ([]Event, error) {
	_, events, err := Advance(s, c)
	return events, err
}

// Advance is Decide and Evolve in one pass: the events, and s after them.
func Advance(s State, c Command) (State, []Event, error) {
	d := decider{s: s.clone()}
	var err error
	switch c := c.(type) {
	case Start:
		d.moment = c.Moment
		d.start(c)
	case Answer:
		d.moment = c.Moment
		err = d.answer(c)
	case Heartbeat:
		d.moment = c.Moment
		err = d.heartbeat(c)
	case Tick:
		d.moment = c.Moment
		d.tick()
	case CancelRequest:
		d.moment = c.Moment
		err = d.cancel(c)
	case RetryRequest:
		d.moment = c.Moment
		err = d.retry(c)
	case CompensateRequest:
		d.moment = c.Moment
		err = d.compensate(c)
	}
	if len(d.events) == 0 {
		return s, nil, err
	}
	return d.s, d.events, err
}

// decider collects the events of one command and the state they lead to, so
// that each rule sees the effect of the ones before it.
type decider struct {
	moment Moment
	s      State
	events []Event
}

func (d *decider) emit(e Event) {
	e.At = d.moment.Now
	d.s.apply(e)
	d.events = append(d.events, e)
}

func (d *decider) start(c Start) {
	t := d.s.Template
	if d.s.Version > 0 {
		return
	}
	look := func(root string, path []string) (json.RawMessage, bool) {
		if root != "input" {
			return nil, false
		}
		return LookupPath(c.Input, path)
	}
	context, _ := t.Context.Resolve(look)
	metadata, _ := t.Metadata.Resolve(look)
	e := StartEvent{SagaID: c.SagaID, BusinessKey: c.BusinessKey, CustomerID: c.CustomerID, Priority: c.Priority,
		Input: c.Input, Context: context, Metadata: metadata, Secret: c.Secret, Trace: c.Trace}
	if t.Timeout > 0 {
		e.Deadline = d.moment.Now.Add(time.Duration(t.Timeout))
	}
	base := members(context)
	for i := range t.Steps {
		st := &t.Steps[i]
		if len(t.graph.preds[i]) > 0 || st.Condition.Eval(lookup(c.Input, base)) == False {
			continue
		}
		if _, missing := st.Parameters.Resolve(lookup(c.Input, base)); len(missing) == 0 {
			e.First = append(e.First, FirstStep{Step: st.Name, Until: d.moment.Now.Add(time.Duration(st.Timeout))})
		}
	}
	d.emit(Event{Type: WorkflowStarted, Start: &e})
	d.forward() // what could not start above: skipped or parked
}

// target is the step or undo that a command ID names.
type target struct {
	st      *StepState
	name    string
	undo    bool
	index   int
	policy  *RetryPolicy
	timeout Duration
}

// CommandID is the idempotency key of a command: the same for every attempt,
// never the same for two commands.
func CommandID(sagaID string, run int, name string, undo bool, key int) string {
	direction := "execute"
	if undo {
		direction = "compensate"
	}
	id := sagaID + ":" + strconv.Itoa(run) + ":" + name + ":" + direction
	if key > 1 {
		id += "-" + strconv.Itoa(key)
	}
	return id
}

// find resolves a command ID to the step that stands behind it now. A command
// of an earlier run or key is known no more.
func (d *decider) find(commandID string) (target, error) {
	rest, ok := strings.CutPrefix(commandID, d.s.SagaID+":")
	parts := strings.Split(rest, ":")
	if !ok || len(parts) != 3 || d.s.Version == 0 {
		return target{}, ErrUnknownCommand
	}
	g, t := d.s.Template.graph, d.s.Template
	var found target
	if i, ok := g.index[parts[1]]; ok {
		found = target{&d.s.Steps[i], parts[1], false, i, &t.Steps[i].RetryPolicy, t.Steps[i].Timeout}
	} else if i, ok := g.undos[parts[1]]; ok {
		found = target{&d.s.Undos[i], parts[1], true, i, &t.Compensations[i].RetryPolicy, t.Compensations[i].Timeout}
	} else {
		return target{}, ErrUnknownCommand
	}
	if CommandID(d.s.SagaID, found.st.Run, found.name, found.undo, found.st.Key) != commandID {
		return target{}, ErrNotWaiting
	}
	if found.st.Attempt == 0 {
		return target{}, ErrUnknownCommand
	}
	return found, nil
}

// kind picks the event type for a forward step or an undo.
func (t target) kind(forward, undo EventType) EventType {
	if t.undo {
		return undo
	}
	return forward
}

func (d *decider) answer(a Answer) error {
	t, err := d.find(a.CommandID)
	if err != nil {
		return err
	}
	if a.Error != nil { // it is shown to everybody who sees the workflow
		shown := StepError{Code: a.Error.Code, Message: d.s.Redactor().Text(a.Error.Message)}
		a.Error = &shown
	}
	if !t.st.InFlight() {
		return d.lateAnswer(t, a)
	}
	current := t.st.Status == StepInProgress && (a.Attempt == 0 || a.Attempt == t.st.Attempt)
	shared := t.st.SentSeq <= a.HeldSince // others may have delivered this attempt too
	switch a.Outcome {
	case Succeeded:
		d.emit(Event{Type: t.kind(StepSucceeded, UndoSucceeded), Step: t.name, Result: a.Result})
		d.proceed()
	case Rejected:
		d.giveUp(t, Rejected, a.Error)
	case Accepted:
		if current && !t.st.Accepted {
			d.emit(Event{Type: t.kind(StepAccepted, UndoAccepted), Step: t.name})
		}
	case ContractError:
		if current {
			d.giveUp(t, ContractError, a.Error)
		}
	case Deferred:
		if current {
			e := Event{Type: t.kind(StepDeferred, UndoDeferred), Step: t.name, Until: d.moment.Now.Add(d.deferral(t.st, a.RetryAfter)), Reason: code(a.Error)}
			if shared {
				e.Outcome = Unknown
			}
			d.emit(e)
			d.settleForward()
		}
	default: // RETRY, UNKNOWN, and anything a transport could not read
		if current {
			if shared {
				a.Outcome = Unknown
			}
			d.attemptFailed(t, a.Outcome, a.Error, a.RetryAfter)
		}
	}
	return nil
}

// deferral is how long a command that could not be sent is put off: as long as
// the participant's breaker says, and at least a deferralShare of the time that
// it has waited already, so that a long outage leaves a short log.
func (d *decider) deferral(st *StepState, breaker time.Duration) time.Duration {
	if st.DeferredSince.IsZero() {
		return breaker
	}
	return max(breaker, min(d.moment.Now.Sub(st.DeferredSince)/deferralShare, MaxDeferral))
}

const (
	deferralShare = 10
	// MaxDeferral bounds how long a step goes on to wait for a participant that
	// works again.
	MaxDeferral = 5 * time.Minute
)

func code(e *StepError) string {
	if e == nil {
		return ""
	}
	return e.Code
}

// attemptFailed plans the next attempt or gives the command up.
func (d *decider) attemptFailed(t target, outcome Outcome, cause *StepError, retryAfter time.Duration) {
	if outcome != Retry {
		outcome = Unknown
	}
	forwardIsOver := !t.undo && d.s.Saga != SagaActive
	if forwardIsOver || t.st.Spent >= t.policy.MaxAttempts {
		d.giveUp(t, outcome, cause)
		return
	}
	wait := max(t.policy.Delay(t.st.Spent, d.moment.Random), min(retryAfter, MaxRetryAfter))
	at := d.moment.Now.Add(wait)
	if !t.undo && !d.s.Deadline.IsZero() && at.After(d.s.Deadline) {
		at = d.s.Deadline
	}
	d.emit(Event{Type: t.kind(StepRetryPlanned, UndoRetryPlanned), Step: t.name, Attempt: t.st.Attempt, Outcome: outcome, Error: cause, Until: at})
}

// MaxRetryAfter bounds how long a participant can put off the next attempt.
const MaxRetryAfter = time.Hour

// giveUp settles a command that failed for good and lets its template say what follows.
func (d *decider) giveUp(t target, outcome Outcome, cause *StepError) {
	if t.undo {
		d.undoFailed(t, outcome, cause)
		return
	}
	st := &d.s.Template.Steps[t.index]
	policy, reason := st.OnExhausted, ParkStepExhausted
	switch {
	case outcome == Rejected:
		policy = st.OnRejected
	case outcome == ContractError:
		policy, reason = PolicyPark, ParkContractError
	}
	if policy == PolicyCompensate && d.s.PastPivot() {
		policy = PolicyPark
	}
	active := d.s.Saga == SagaActive
	d.emit(Event{Type: StepGaveUp, Step: t.name, Attempt: t.st.Attempt, Outcome: outcome, Error: cause, Waived: active && policy == PolicyContinue})
	switch {
	case !active || d.s.Parked != nil || policy == PolicyContinue:
		d.proceed()
	case policy == PolicyPark:
		d.park(reason, t.name, cause, st.ParkFor)
	default:
		d.beginCompensation(Failed, st.failureReason(), nil, cause, t.name)
	}
}

func (st *Step) failureReason() string {
	return orDefault(st.FailureReason, st.Name+"_FAILED")
}

func (d *decider) park(reason ParkReason, step string, cause *StepError, parkFor Duration) {
	e := Event{Type: WorkflowParked, Step: step, Reason: string(reason), Error: cause}
	if parkFor > 0 && reason == ParkStepExhausted && !d.s.PastPivot() {
		e.Until = d.moment.Now.Add(time.Duration(parkFor))
	}
	d.emit(e)
}

func (d *decider) heartbeat(h Heartbeat) error {
	t, err := d.find(h.CommandID)
	if err != nil {
		return err
	}
	if t.st.Status != StepInProgress {
		return ErrNotWaiting
	}
	// The log would grow with every beat: one that moves the deadline by less
	// than a quarter of the timeout is acknowledged and not recorded.
	until := d.moment.Now.Add(time.Duration(t.timeout))
	if until.Sub(t.st.Deadline) >= time.Duration(t.timeout)/4 {
		d.emit(Event{Type: t.kind(StepExtended, UndoExtended), Step: t.name, Until: until})
	}
	return nil
}

// tick lets everything happen that is due.
func (d *decider) tick() {
	now := d.moment.Now
	due := func(at time.Time) bool { return !at.IsZero() && !at.After(now) }
	if d.s.Status.Terminal() || d.s.Version == 0 {
		return
	}
	for i := range d.s.Steps {
		if st := &d.s.Steps[i]; st.Status == StepInProgress && due(st.Deadline) {
			d.timedOut(d.s.Template.Steps[i].Name, false, i)
		}
	}
	for i := range d.s.Undos {
		if st := &d.s.Undos[i]; st.Status == StepInProgress && due(st.Deadline) {
			d.timedOut(d.s.Template.Compensations[i].Name, true, i)
		}
	}
	switch {
	case d.s.Parked != nil:
		if due(d.s.Parked.Until) {
			d.parkExpired()
		}
		return
	case d.s.Saga == SagaActive && due(d.s.Deadline):
		d.deadlinePassed()
	}
	d.proceed()
}

func (d *decider) timedOut(name string, undo bool, i int) {
	t, err := d.find(CommandID(d.s.SagaID, d.stateOf(undo, i).Run, name, undo, d.stateOf(undo, i).Key))
	if err == nil {
		d.attemptFailed(t, Unknown, &StepError{Code: CodeTimeout, Message: "no answer until the deadline"}, 0)
	}
}

func (d *decider) stateOf(undo bool, i int) *StepState {
	if undo {
		return &d.s.Undos[i]
	}
	return &d.s.Steps[i]
}

func (d *decider) parkExpired() {
	p := d.s.Parked
	if d.s.PastPivot() { // a branch passed it meanwhile: only a person undoes anything now
		d.park(p.Reason, p.Step, p.LastError, 0)
		return
	}
	cause := p.LastError
	if cause == nil {
		cause = &StepError{Code: CodeParkExpired}
	}
	st := d.s.Template.Steps[d.s.Template.graph.index[p.Step]]
	d.beginCompensation(Failed, st.failureReason(), nil, cause, p.Step)
}

func (d *decider) deadlinePassed() {
	cause := &StepError{Code: CodeWorkflowTimeout, Message: "the workflow's deadline passed"}
	if d.s.PastPivot() {
		d.park(ParkStepExhausted, d.s.CurrentStep(), cause, 0)
		return
	}
	d.beginCompensation(Failed, CodeWorkflowTimeout, nil, cause, d.s.CurrentStep())
}
