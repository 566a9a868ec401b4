package sim

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// oracle knows what was promised. It sees every change at the moment the store
// makes it durable, keeps its own account of each workflow, and compares.
type oracle struct {
	sim     *simulation
	stories map[string]*story
	writer  *replica // whose batch is being committed
}

// story is the oracle's account of one workflow.
type story struct {
	id       string
	hash     string           // of the template it is pinned to
	template *domain.Template // it is judged by
	shape    *shape
	state    domain.State // the fold of what is stored
	commands map[string]*command
	moments  []moment // after each version, from 0
	resets   int      // retries that began again with an empty context

	log       []domain.Event
	published int // how many of its events have reached the bus
}

// moment is what a version looked like, to compare acknowledgements with.
type moment struct {
	status       domain.Status
	saga         domain.SagaState
	run, resumes int
	updated      time.Time
}

func momentOf(s *domain.State) moment {
	return moment{s.Status, s.Saga, s.Run, s.Resumes, s.UpdatedAt}
}

// command is what the log says of one idempotency key.
type command struct {
	step     string
	undo     bool
	attempts int
	payload  string // of the first sending
	resets   int    // how often the workflow had been reset by then
	// What is known of its effect: a success, a refusal, an attempt that may
	// have had it, or one that is out.
	succeeded, refused, doubt, out bool
}

// mayHaveEffect is the catalogue's mayHaveEffect(s): sent, and not known to have had none.
func (c *command) mayHaveEffect() bool {
	return c != nil && c.attempts > 0 && (c.succeeded || !c.refused && (c.doubt || c.out))
}

func newOracle(s *simulation) *oracle { return &oracle{sim: s, stories: map[string]*story{}} }

// applied is the store telling that a change is durable.
func (o *oracle) applied(c *ports.Change) {
	id := c.Row.WorkflowID
	st := o.stories[id]
	if st == nil {
		t := o.sim.templates.byHash[c.Row.TemplateHash]
		if t == nil {
			o.sim.broken("I5", id, "started with an unknown template %s", c.Row.TemplateHash)
			return
		}
		promised := o.sim.templates.promised[t]
		st = &story{id: id, hash: t.Hash(), template: promised, shape: o.sim.templates.shapes[promised], state: domain.New(id, t), commands: map[string]*command{}}
		st.moments = append(st.moments, momentOf(&st.state))
		o.stories[id] = st
	}
	var events []domain.Event
	if err := unmarshal(c.Events, &events); err != nil {
		o.sim.broken("I4", id, "stored events cannot be read: %v", err)
		return
	}
	for i := range events {
		e := &events[i]
		next := domain.Evolve(st.state, *e)
		o.traceEvent(st, e)
		o.event(&step{oracle: o, story: st, prev: &st.state, next: &next, event: e, batch: events, at: i})
		st.state = next
		st.log = append(st.log, *e)
		st.moments = append(st.moments, momentOf(&st.state))
	}
	o.row(st, c, len(events))
	o.reasonToMove(st, &c.Row)
	o.businessKey(st)
	o.notices(st, c, events)
}

func unmarshal(data []byte, into *[]domain.Event) error {
	if len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, into)
}

func (o *oracle) traceEvent(st *story, e *domain.Event) {
	by := "nobody"
	if o.writer != nil {
		by = o.writer.name
	}
	code := ""
	if e.Error != nil {
		code = e.Error.Code
	}
	o.sim.trace.add(o.sim.now, st.id, by, "commits", string(e.Type), e.Step, string(e.Outcome), code, e.Reason, e.At.Format("15:04:05.000"))
}

// row compares the row with the fold of the events (I4, I5).
func (o *oracle) row(st *story, c *ports.Change, n int) {
	s, r := &st.state, &c.Row
	key := s.BusinessKey
	if s.Compensation != nil && s.Compensation.Late && !s.Status.Terminal() {
		key = "" // it ended before, and the key may have been used since
	}
	switch {
	case r.Version != c.Expected+n || r.Version != s.Version:
		o.sim.broken("I4", st.id, "row says version %d, change %d+%d, the log has %d events", r.Version, c.Expected, n, s.Version)
	case r.TemplateHash != st.hash || r.Type != st.template.Type:
		o.sim.broken("I5", st.id, "the template changed to %s", r.TemplateHash)
	case r.Status != s.Status || r.Saga != s.Saga || r.Run != s.Run || r.CurrentStep != s.CurrentStep() ||
		r.SettledSteps != s.SettledSteps() || r.TotalSteps != len(s.Steps) || r.BusinessKey != key || r.SagaID != s.SagaID ||
		!r.StartedAt.Equal(s.StartedAt) || !r.UpdatedAt.Equal(s.UpdatedAt) || !r.EndedAt.Equal(s.EndedAt):
		o.sim.broken("I4", st.id, "the row is not the fold of the events: %+v", *r)
	}
}

// reasonToMove: a live workflow has exactly one reason to move again.
func (o *oracle) reasonToMove(st *story, r *ports.Row) {
	s := &st.state
	switch {
	case s.Status.Terminal():
		if r.Owner != "" || !r.DueAt.IsZero() {
			o.sim.broken("LIVENESS", st.id, "it has ended and is still held by %q or due", r.Owner)
		}
	case r.Owner != "":
		unheard := o.sim.publishes && s.WakeAt().IsZero() // parked, and held only until that is published
		if r.WakeAt.IsZero() || !r.DueAt.IsZero() || !unheard && r.WakeAt.After(s.WakeAt()) {
			o.sim.broken("LIVENESS", st.id, "held by %s with wake-up %s, due %s, needed %s", r.Owner, r.WakeAt, r.DueAt, s.WakeAt())
		}
	case !r.DueAt.IsZero():
		// A draining replica gives it up at once, whenever it was due.
		if at := s.WakeAt(); !at.IsZero() && r.DueAt.After(at) && o.writer != nil && r.DueAt.After(o.writer.clock()) {
			o.sim.broken("LIVENESS", st.id, "nobody holds it and it is due at %s, needed %s", r.DueAt, at)
		}
	case s.Status != domain.Parked || s.Parked == nil || !s.Parked.Until.IsZero() || s.Unanswered():
		o.sim.broken("LIVENESS", st.id, "%s, nobody holds it and it is never due", s.Status)
	}
}

// businessKey: at most one active or COMPLETED workflow per type and key (K8).
func (o *oracle) businessKey(st *story) {
	r := &o.sim.store.flows[st.id].row
	if !claims(r) {
		return
	}
	if other := o.sim.store.holder(r.Type, r.BusinessKey, st.id); other != "" {
		o.sim.broken("K8", st.id, "%s has the business key %s too", other, r.BusinessKey)
	}
}

// sending checks a command at the moment it leaves for the pump: it must
// follow from what is committed, and be what it was the first time.
func (o *oracle) sending(r *replica, d *domain.Dispatch) {
	st := o.stories[d.WorkflowID]
	if st == nil {
		o.sim.broken("SENT_AFTER_COMMIT", d.WorkflowID, "%s sends %s of a workflow that is not stored", r.name, d.CommandID)
		return
	}
	c := st.commands[d.CommandID]
	if c == nil || d.Attempt > c.attempts {
		o.sim.broken("SENT_AFTER_COMMIT", st.id, "%s sends %s #%d, which is not committed", r.name, d.CommandID, d.Attempt)
		return
	}
	if c.step != d.Step || c.undo != d.Undo {
		o.sim.broken("K2", st.id, "key %s of %s is used for %s", d.CommandID, c.step, d.Step)
	}
	payload := d.Service + "/" + d.Action + " " + string(d.Parameters) + " " + string(d.Context)
	if c.payload == "" || c.resets != st.resets { // a reset may change what was known when a step began
		c.payload, c.resets = payload, st.resets
	} else if c.payload != payload {
		o.sim.broken("K1", st.id, "%s was sent with %s and now with %s", d.CommandID, c.payload, payload)
	}
	if f := d.Forward; d.Undo && f != nil {
		o.forwardRef(st, d, f)
	}
}

// forwardRef: an undo tells of the command it undoes, truly (C6).
func (o *oracle) forwardRef(st *story, d *domain.Dispatch, f *domain.ForwardRef) {
	c := st.commands[f.CommandID]
	done := o.sim.participants.forward[f.CommandID]
	switch {
	case c == nil || c.undo || st.shape.stepOf[st.shape.undo[d.Step]] != st.shape.step[c.step]:
		o.sim.broken("C6", st.id, "%s names %s as what it undoes", d.CommandID, f.CommandID)
	case f.Outcome == domain.Succeeded && (done == nil || !done.done || string(done.result) != string(f.Result)):
		o.sim.broken("C6", st.id, "%s tells of a success that %s did not have", d.CommandID, f.CommandID)
	}
}

// acknowledged checks what a caller is told (I1, K7). Of two requests under way
// at once with one key, one may be refused although the other then succeeds;
// one that was made after the success was known may not.
func (o *oracle) acknowledged(q *request, rc *receipt, asked time.Duration) {
	if q.key == nil && (errors.Is(rc.err, domain.ErrOtherAnswer) || errors.Is(rc.err, domain.ErrNotWaiting) || errors.Is(rc.err, ports.ErrUnknownToken)) {
		return
	}
	if rc.err != nil {
		if q.first != nil && q.key != nil && asked > q.firstAt {
			o.sim.broken("K7", rc.workflow, "%s was acknowledged before and is now refused: %v", q.name, rc.err)
		}
		return
	}
	st := o.stories[rc.workflow]
	if st == nil || rc.state.Version < 1 || rc.state.Version >= len(st.moments) || st.moments[rc.state.Version] != momentOf(&rc.state) {
		o.sim.broken("I1", rc.workflow, "%s was acknowledged with version %d (%s), which is not in the log", q.name, rc.state.Version, rc.state.Status)
		return
	}
	switch {
	case q.first == nil:
		q.first, q.firstAt = rc, o.sim.now
	case q.key != nil && (q.first.workflow != rc.workflow || q.first.state.Version != rc.state.Version):
		o.sim.broken("K7", rc.workflow, "%s was acknowledged with %s version %d before and now with version %d",
			q.name, q.first.workflow, q.first.state.Version, rc.state.Version)
	}
}

// restless is a workflow that is not at rest, "" if all are.
func (o *oracle) restless() string {
	for _, id := range o.sim.store.order {
		r := &o.sim.store.flows[id].row
		if !r.Status.Terminal() && (r.Status != domain.Parked || !r.DueAt.IsZero() || r.Owner != "") {
			return id
		}
		if o.sim.publishes && (o.stories[id].published < r.Version || o.sim.store.outbox[id] != owed{}) {
			return id
		}
	}
	return ""
}

// final checks what a run came to.
func (o *oracle) final() {
	for _, q := range o.sim.callers {
		if !q.done {
			o.sim.broken("I2", q.workflow, "%s never got an answer", q.name)
		}
	}
	for _, id := range o.sim.store.order {
		st := o.stories[id]
		rec := o.sim.store.flows[id].record()
		again, _, err := o.sim.templates.restore(rec)
		if err != nil || !slices.Equal(text(&again), text(&st.state)) {
			o.sim.broken("I4", id, "what is stored is not what was committed (%v)", err)
		}
		o.ending(st)
		o.world(st)
	}
}

func text(s *domain.State) []byte {
	c := *s
	c.Template = nil
	b, err := json.Marshal(c)
	if err != nil {
		panic("sim: state does not marshal: " + err.Error())
	}
	return b
}
