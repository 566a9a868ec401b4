package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// plantedWithin is how many seeds may pass before a planted bug is found.
const plantedWithin = 500

// TestPlantedBugsAreFound proves that the simulator would notice: each bug is a
// mistake somebody could make, put at a seam of the replica, and must break one
// of the promises named within plantedWithin seeds.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range planted {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(plantedWithin) {
				r := Run(Options{Seed: seed, bug: c.bug})
				if r.Violation == nil {
					continue
				}
				if !slices.Contains(c.promises, r.Violation.Promise) {
					t.Errorf("found as %s, not as one of %v:\n%s", r.Violation.Promise, c.promises, r.Violation)
				}
				if len(r.Violation.Trace) == 0 {
					t.Error("the report has no trace")
				}
				t.Logf("found by seed %d: %s, %s", seed, r.Violation.Promise, r.Violation.Detail)
				return
			}
			t.Errorf("not found in %d seeds", plantedWithin)
		})
	}
}

// TestHarmlessOdditiesAreNotReported: what the design allows is no violation.
func TestHarmlessOdditiesAreNotReported(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*bug{
		"every answer comes twice": handles(func(m machine, now time.Time, r engine.Request) {
			m.Handle(now, r)
			if _, ok := r.Command.(domain.Answer); ok {
				m.Handle(now, engine.Request{WorkflowID: r.WorkflowID, Command: r.Command})
			}
		}),
		"everything is sent twice": sends(func(w engine.World, cmd domain.Dispatch) {
			w.Send(cmd)
			w.Send(cmd)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(60) {
				if r := Run(Options{Seed: seed, bug: b}); r.Violation != nil {
					t.Fatal(r.Violation)
				}
			}
		})
	}
}

var planted = []struct {
	name     string
	bug      *bug
	promises []string
}{
	{"the store does not check versions", commits(func(_ *simulation, st storePort, c *ports.Change) error {
		if rec, err := st.Load(context.Background(), c.Row.WorkflowID); err == nil {
			c.Expected, c.Holder = rec.Row.Version, rec.Row.Owner
		}
		return apply(st, c)
	}), []string{"I4", "I3", "TOTALITY"}},
	{"the store loses a commit that it acknowledged", commits(func(s *simulation, st storePort, c *ports.Change) error {
		if s.rng.IntN(50) == 0 {
			return nil
		}
		return apply(st, c)
	}), []string{"SENT_AFTER_COMMIT", "I1", "I2", "I4", "K3", "E1"}},
	{"the store tears a commit: the row without its events", commits(func(s *simulation, st storePort, c *ports.Change) error {
		if s.rng.IntN(50) == 0 {
			c.Events = nil
		}
		return apply(st, c)
	}), []string{"I4"}},
	{"nobody is told how a workflow ends", commits(func(_ *simulation, st storePort, c *ports.Change) error {
		if n := len(c.Notices); n > 0 && c.Row.Status.Terminal() {
			c.Notices = c.Notices[:n-1]
		}
		return apply(st, c)
	}), []string{"E3"}},
	{"the store forgets idempotency keys", commits(func(_ *simulation, st storePort, c *ports.Change) error {
		c.Idempotency = nil
		return apply(st, c)
	}), []string{"K7"}},
	{"nobody takes over from the dead", &bug{inStore: func(s *simulation, st storePort) storePort { return &kindToTheDead{st, s} }},
		[]string{"I2"}},
	{"commands leave before the commit", &bug{inWorld: func(r *replica, w engine.World) engine.World { return &hasty{w, r} }},
		[]string{"SENT_AFTER_COMMIT"}},
	{"each attempt has its own key", sends(func(w engine.World, cmd domain.Dispatch) {
		if cmd.Attempt > 1 {
			cmd.CommandID += "-" + strconv.Itoa(cmd.Attempt)
		}
		w.Send(cmd)
	}), []string{"SENT_AFTER_COMMIT", "K1", "K2"}},
	{"parameters differ between attempts", sends(func(w engine.World, cmd domain.Dispatch) {
		cmd.Parameters = json.RawMessage(`{"attempt":` + strconv.Itoa(cmd.Attempt) + `}`)
		w.Send(cmd)
	}), []string{"K1"}},
	{"unknown is taken for not done", answers(func(a *domain.Answer) {
		if a.Outcome == domain.Unknown {
			a.Outcome = domain.Retry
		}
	}), []string{"C11"}},
	{"unknown is taken for rejected", answers(func(a *domain.Answer) {
		if a.Outcome == domain.Unknown {
			a.Outcome = domain.Rejected
		}
	}), []string{"K5"}},
	{"not done is taken for done", answers(func(a *domain.Answer) {
		if a.Outcome == domain.Retry {
			a.Outcome = domain.Succeeded
		}
	}), []string{"K5"}},
	{"late successes are dropped", handles(func(m machine, now time.Time, r engine.Request) {
		if a, ok := r.Command.(domain.Answer); ok && a.Attempt == 0 && a.Outcome == domain.Succeeded {
			r.Reply(engine.Result{Err: domain.ErrNotWaiting})
			return
		}
		m.Handle(now, r)
	}), []string{"C11"}},
	{"an answer is applied to another step", wrongStep(), []string{"K5"}},
	{"nothing is sent again after a takeover", muteAdoption(), []string{"K3"}},
	{"timers are lost", &bug{inPartition: func(_ *replica, m machine) machine { return &timeless{m} }}, []string{"I2"}},
	{"undos are swapped", judged(`"name":"RELEASE","compensates":"RESERVE"`, `"name":"RELEASE","compensates":"PAY"`,
		`"name":"VOID","compensates":"PAY"`, `"name":"VOID","compensates":"RESERVE"`), []string{"C1", "C4", "C6"}},
	{"the order of undos is ignored", judged(`"after":["B1"]`, `"after":[]`, `"after":["A"]`, `"after":[]`), []string{"F1", "C4"}},
	{"the store forgets what is to be published", commits(func(_ *simulation, st storePort, c *ports.Change) error {
		c.Owes = false
		return apply(st, c)
	}), []string{"I2"}},
	{"an event is taken for published that was lost", publishes(func(r *replica, w engine.World, p engine.Publication) {
		if r.sim.rng.IntN(20) == 0 {
			r.after(0, func() { r.part.Emitted(r.clock(), p.WorkflowID, p.First+len(p.Events)-1) })
			return
		}
		w.Publish(p)
	}), []string{"E4", "I2"}},
	{"events overtake each other", publishes(func(r *replica, w engine.World, p engine.Publication) {
		slices.Reverse(p.Events)
		w.Publish(p)
	}), []string{"E1"}},
	{"what is on its way to the bus at a takeover is forgotten", &bug{inPartition: func(_ *replica, m machine) machine {
		return &adopter{m, func(m machine, now time.Time, s domain.State, _ []domain.Event) { m.Adopt(now, s, nil) }}
	}}, []string{"E4", "I2"}},
	{"the pivot is ignored", judged(`,"kind":"pivot"`, ``, `,"kind":"retriable"`, ``), []string{"F4"}},
}

func apply(st storePort, c *ports.Change) error {
	return st.Commit(context.Background(), []ports.Change{*c})[0]
}

// commits plants a bug in the writing of each change.
func commits(commit func(*simulation, storePort, *ports.Change) error) *bug {
	return &bug{inStore: func(s *simulation, st storePort) storePort { return &buggyStore{st, s, commit} }}
}

type buggyStore struct {
	storePort
	sim    *simulation
	commit func(*simulation, storePort, *ports.Change) error
}

func (b *buggyStore) Commit(_ context.Context, batch []ports.Change) []error {
	errs := make([]error, len(batch))
	for i := range batch {
		c := batch[i]
		errs[i] = b.commit(b.sim, b.storePort, &c)
	}
	return errs
}

// kindToTheDead claims only what nobody holds.
type kindToTheDead struct {
	storePort
	sim *simulation
}

func (k *kindToTheDead) Claim(ctx context.Context, replica string, limit int) ([]ports.Record, error) {
	for _, f := range k.sim.store.flows {
		if f.row.Owner != "" {
			_ = k.Renew(ctx, f.row.Owner, time.Hour)
		}
	}
	return k.storePort.Claim(ctx, replica, limit)
}

// hasty sends what a change will call for when it is handed to the store.
type hasty struct {
	engine.World
	replica *replica
}

func (h *hasty) Commit(c ports.Change) {
	h.World.Commit(c)
	s := h.replica.sim
	rec := ports.Record{Row: c.Row}
	if f := s.store.flows[c.Row.WorkflowID]; f != nil {
		rec.Events = slices.Clone(f.events)
	}
	if len(c.Events) > 0 {
		rec.Events = append(rec.Events, c.Events)
	}
	state, _, err := s.templates.restore(rec)
	if err != nil {
		return
	}
	for _, cmd := range domain.Effects(state, c.Expected) {
		h.Send(cmd)
	}
}

// sends plants a bug in the sending of each command.
func sends(send func(engine.World, domain.Dispatch)) *bug {
	return &bug{inWorld: func(_ *replica, w engine.World) engine.World { return &sender{w, send} }}
}

type sender struct {
	engine.World
	send func(engine.World, domain.Dispatch)
}

func (s *sender) Send(cmd domain.Dispatch) { s.send(s.World, cmd) }

// handles plants a bug in the handling of each request.
func handles(handle func(machine, time.Time, engine.Request)) *bug {
	return &bug{inPartition: func(_ *replica, m machine) machine { return &handler{m, handle} }}
}

type handler struct {
	machine
	handle func(machine, time.Time, engine.Request)
}

func (h *handler) Handle(now time.Time, r engine.Request) { h.handle(h.machine, now, r) }

// answers plants a bug in the reading of each answer.
func answers(change func(*domain.Answer)) *bug {
	return handles(func(m machine, now time.Time, r engine.Request) {
		if a, ok := r.Command.(domain.Answer); ok {
			change(&a)
			r.Command = a
		}
		m.Handle(now, r)
	})
}

// wrongStep applies answers to the command that was sent last.
func wrongStep() *bug {
	lastSent := map[*replica]string{}
	return &bug{
		inWorld: func(r *replica, w engine.World) engine.World {
			return &sender{w, func(w engine.World, cmd domain.Dispatch) {
				lastSent[r] = cmd.CommandID
				w.Send(cmd)
			}}
		},
		inPartition: func(r *replica, m machine) machine {
			return &handler{m, func(m machine, now time.Time, q engine.Request) {
				if a, ok := q.Command.(domain.Answer); ok && a.Attempt == 1 && lastSent[r] != "" {
					a.CommandID = lastSent[r]
					q.Command = a
				}
				m.Handle(now, q)
			}}
		},
	}
}

// muteAdoption sends nothing during a takeover.
func muteAdoption() *bug {
	mute := map[*replica]bool{}
	return &bug{
		inWorld: func(r *replica, w engine.World) engine.World {
			return &sender{w, func(w engine.World, cmd domain.Dispatch) {
				if !mute[r] {
					w.Send(cmd)
				}
			}}
		},
		inPartition: func(r *replica, m machine) machine {
			return &adopter{m, func(m machine, now time.Time, s domain.State, unpublished []domain.Event) {
				mute[r] = true
				m.Adopt(now, s, unpublished)
				delete(mute, r)
			}}
		},
	}
}

type adopter struct {
	machine
	adopt func(machine, time.Time, domain.State, []domain.Event)
}

func (a *adopter) Adopt(now time.Time, s domain.State, unpublished []domain.Event) {
	a.adopt(a.machine, now, s, unpublished)
}

// publishes plants a bug in the publication of events.
func publishes(publish func(r *replica, w engine.World, p engine.Publication)) *bug {
	return &bug{inWorld: func(r *replica, w engine.World) engine.World { return &publisher{w, r, publish} }}
}

type publisher struct {
	engine.World
	replica *replica
	publish func(*replica, engine.World, engine.Publication)
}

func (p *publisher) Publish(e engine.Publication) { p.publish(p.replica, p.World, e) }

// timeless never lets anything be due.
type timeless struct{ machine }

func (*timeless) Tick(time.Time)      {}
func (*timeless) NextWake() time.Time { return time.Time{} }

// judged plants a bug in the templates: replicas run them with old replaced by
// new, pair by pair, and are judged by the originals.
func judged(oldNew ...string) *bug {
	t := loadTemplates(func(text []byte) []byte {
		for i := 0; i < len(oldNew); i += 2 {
			text = bytes.ReplaceAll(text, []byte(oldNew[i]), []byte(oldNew[i+1]))
		}
		return text
	})
	for _, tmpl := range t.list {
		original := builtin().ofType(tmpl.Type)
		t.promised[tmpl], t.shapes[original] = original, builtin().shapes[original]
	}
	return &bug{inTemplates: func() *templates { return t }}
}
