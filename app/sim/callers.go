package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// How callers behave.
const (
	callerTimeout = 12 * time.Second // then the request is made again, elsewhere
	callerPause   = 500 * time.Millisecond
	// callbackTries bounds how often a participant repeats a callback; enough
	// to reach the calm after the faults.
	callbackTries = 200
)

// request is something that somebody wants, and asks for with the same key
// until there is a definite answer.
type request struct {
	name     string
	key      *ports.IdempotencyKey // nil for callbacks
	workflow string                // "" for a start, until it is acknowledged
	perform  func(r *replica, reply func(receipt))
	then     func(receipt) // on the first definite answer
	maxTries int           // 0: for ever
	tries    int
	done     bool
	first    *receipt // the first acknowledgement
	firstAt  time.Duration
}

// receipt is what a caller is told.
type receipt struct {
	workflow string
	state    domain.State
	replayed bool
	err      error
}

// transient reports whether an error leaves the request undecided.
func transient(err error) bool {
	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrOverloaded) || errors.Is(err, ports.ErrClosed)
}

// ask makes a request of some replica, and again if nothing definite comes back.
func (s *simulation) ask(q *request) {
	if q.done || q.maxTries > 0 && q.tries >= q.maxTries {
		return
	}
	q.tries++
	try, asked := q.tries, s.now
	again := func() {
		if !q.done && q.tries == try {
			s.ask(q)
		}
	}
	r := s.anyReplica()
	if r == nil {
		s.after(callerPause, again)
		return
	}
	s.after(callerTimeout, again)
	s.after(s.within(5*time.Millisecond), func() {
		r.after(0, func() {
			q.perform(r, func(rc receipt) {
				if r.lives() {
					s.after(s.within(5*time.Millisecond), func() { s.told(q, rc, asked, again) })
				}
			})
		})
	})
}

// told is an answer, to what was asked at a time, reaching the caller.
func (s *simulation) told(q *request, rc receipt, asked time.Duration, again func()) {
	if rc.err != nil && transient(rc.err) {
		s.after(s.between(callerPause/5, callerPause), again)
		return
	}
	s.trace.add(s.now, rc.workflow, "the caller of", q.name, "is told", fmt.Sprint(rc.err), strconv.Itoa(rc.state.Version))
	s.oracle.acknowledged(q, &rc, asked)
	if q.done {
		return
	}
	q.done = true
	if q.then != nil {
		q.then(rc)
	}
}

func (s *simulation) key(scope string) *ports.IdempotencyKey {
	return &ports.IdempotencyKey{Scope: scope, Fingerprint: "of " + scope}
}

// enlist remembers a request whose answer must come.
func (s *simulation) enlist(q *request, at time.Duration) {
	s.callers = append(s.callers, q)
	s.after(at, func() { s.ask(q) })
	if s.weather.strikes(Impatience) {
		s.after(at+s.within(2*time.Second), func() { s.ask(q) })
	}
}

// planCallers plans the workflows of a run and what people do to them.
func (s *simulation) planCallers(until time.Duration) {
	n := minWorkflows + s.rng.IntN(maxWorkflows-minWorkflows+1)
	for i := range n {
		t := s.templates.list[s.rng.IntN(len(s.templates.list))]
		business := "ord-" + strconv.Itoa(i)
		input := fmt.Sprintf(`{"orderId":%q,"amount":%d,"gift":%t}`, business, s.rng.IntN(100), s.rng.IntN(2) == 0)
		at := s.within(until / 2)
		s.enlist(s.start("start-"+strconv.Itoa(i), t, business, input, until), at)
		if s.weather.strikes(Rivals) {
			s.enlist(s.start("rival-"+strconv.Itoa(i), t, business, input, until), at+s.within(until/4))
		}
	}
}

// start is a request to begin a workflow; what follows on it follows when it is acknowledged.
func (s *simulation) start(scope string, t *domain.Template, business, input string, until time.Duration) *request {
	q := &request{name: scope, key: s.key(scope)}
	if t.BusinessKey == "" {
		business = ""
	}
	q.perform = func(r *replica, reply func(receipt)) {
		r.start(t, domain.Start{SagaID: "saga-" + s.uuid(), BusinessKey: business, CustomerID: "cust-1", Priority: "NORMAL",
			Input: json.RawMessage(input), Secret: []byte("0123456789abcdef")}, q.key, reply)
	}
	q.then = func(rc receipt) {
		if rc.err == nil {
			s.planPeople(rc.workflow, until)
		}
	}
	return q
}

// planPeople plans what operators and customers do to a workflow.
func (s *simulation) planPeople(workflow string, until time.Duration) {
	at := func() time.Duration { return s.within(max(until-s.now, time.Second)) }
	steps := s.templates.byHash[s.store.flows[workflow].row.TemplateHash].Steps
	var actions []domain.Command
	if s.weather.strikes(Cancelling) {
		actions = append(actions, domain.CancelRequest{Reason: "CHANGED_MIND", InitiatedBy: "CUSTOMER"})
	}
	if s.weather.strikes(CancelForced) {
		actions = append(actions, domain.CancelRequest{Reason: "FRAUD", InitiatedBy: "ADMIN", Force: true})
	}
	for s.weather.strikes(OperatorRetries) {
		actions = append(actions, domain.RetryRequest{Reset: s.rng.IntN(3) == 0})
	}
	for s.weather.strikes(OperatorCompensates) {
		c := domain.CompensateRequest{Force: s.rng.IntN(2) == 0}
		if s.rng.IntN(2) == 0 {
			c.FromStep = steps[s.rng.IntN(len(steps))].Name
		}
		actions = append(actions, c)
	}
	for i, c := range actions {
		s.enlist(s.action(fmt.Sprintf("action-%d of %s", i, workflow), workflow, c), at())
	}
}

// action is a person's request about a workflow.
func (s *simulation) action(scope, workflow string, c domain.Command) *request {
	q := &request{name: scope, key: s.key(scope), workflow: workflow}
	q.perform = func(r *replica, reply func(receipt)) { r.once(workflow, withID(c, s.uuid()), q.key, reply) }
	return q
}

// withID gives a person's request the ID that the engine would give it.
func withID(c domain.Command, id string) domain.Command {
	switch c := c.(type) {
	case domain.CancelRequest:
		c.RequestID = id
		return c
	case domain.RetryRequest:
		c.RequestID = id
		return c
	case domain.CompensateRequest:
		c.RequestID = id
		return c
	}
	return c
}

// callback is a participant answering later than its response, until it is heard.
func (s *simulation) callback(cmd *domain.Dispatch, a domain.Answer) {
	token, workflow := cmd.Token, cmd.WorkflowID
	q := &request{name: "callback for " + cmd.CommandID, workflow: workflow, maxTries: callbackTries}
	q.perform = func(r *replica, reply func(receipt)) {
		r.byToken(token, func(id, command string) {
			a.CommandID = command
			r.part.Handle(r.clock(), engine.Request{WorkflowID: id, Command: a, Reply: func(res engine.Result) {
				reply(receipt{workflow: id, state: res.State, err: res.Err})
			}})
		}, reply)
	}
	s.ask(q)
}

// heartbeat is a participant asking for more time.
func (s *simulation) heartbeat(cmd *domain.Dispatch) {
	token := cmd.Token
	q := &request{name: "heartbeat for " + cmd.CommandID, workflow: cmd.WorkflowID, maxTries: 2}
	q.perform = func(r *replica, reply func(receipt)) {
		r.byToken(token, func(id, command string) {
			r.part.Handle(r.clock(), engine.Request{WorkflowID: id, Command: domain.Heartbeat{CommandID: command}, Reply: func(res engine.Result) {
				reply(receipt{workflow: id, state: res.State, err: res.Err})
			}})
		}, reply)
	}
	s.ask(q)
}

// retryParked lets an operator retry what is parked, and reports whether anything was.
func (s *simulation) retryParked() bool {
	found := false
	for _, id := range s.store.order {
		if s.store.flows[id].row.Status == domain.Parked {
			found = true
			s.enlist(s.action(fmt.Sprintf("final retry %d of %s", s.rounds, id), id, domain.RetryRequest{}), s.within(time.Second))
		}
	}
	return found
}
