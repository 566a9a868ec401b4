package sim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// participants are all the services of all templates. They keep the protocol:
// one effect per key, the same answer to the same key, and a tombstone for a
// command whose undo came first.
type participants struct {
	sim      *simulation
	services []string
	forward  map[string]*deed // by command ID of the forward command
	undos    map[string]*deed // by command ID of the undo
	down     map[string]time.Duration
	doomed   map[string]string // in Rejections: workflow → the step that is rejected
	onBus    map[string]bool   // services that are reached over the bus
}

// deed is what a participant remembers of one command.
type deed struct {
	workflow  string
	step      string
	done      bool
	at        time.Duration
	undone    bool
	tombstone bool
	working   bool // promised, will be done and told by callback
	reported  bool // its callback is not lost
	refusal   string
	result    json.RawMessage
}

const (
	codeRefused  = "REFUSED"
	codeTooLate  = "ALREADY_COMPENSATED"
	codeBusy     = "BUSY"
	codeInternal = "INTERNAL"
)

func newParticipants(s *simulation) *participants {
	p := &participants{sim: s, forward: map[string]*deed{}, undos: map[string]*deed{}, down: map[string]time.Duration{}, doomed: map[string]string{}, onBus: map[string]bool{}}
	for _, t := range s.templates.list {
		for i := range t.Steps {
			p.services = append(p.services, t.Steps[i].Service)
		}
		for i := range t.Compensations {
			p.services = append(p.services, t.Compensations[i].Service)
		}
	}
	slices.Sort(p.services)
	p.services = slices.Compact(p.services)
	for _, name := range p.services {
		if s.weather.on(OverBus) && s.rng.IntN(2) == 0 {
			p.onBus[name] = true
			s.weather.hits[OverBus]++
		}
	}
	return p
}

// limits are how many commands each service takes at once; few where crowded.
func (p *participants) limits() map[string]int {
	limits := map[string]int{}
	for _, name := range p.services {
		limits[name] = 0
		if p.sim.weather.strikes(Crowded) {
			limits[name] = 1 + p.sim.rng.IntN(crowdedLimit)
		}
	}
	return limits
}

func (p *participants) outage() {
	name := p.services[p.sim.rng.IntN(len(p.services))]
	p.down[name] = p.sim.now + p.sim.between(5*time.Second, 3*time.Minute)
	p.sim.trace.add(p.sim.now, "", name, "is down until", p.down[name].String())
}

func (p *participants) heal() { clear(p.down) }

// deedOf is what is remembered under a command ID; it begins when first asked.
func deedOf(m map[string]*deed, id, workflow, step string) *deed {
	d := m[id]
	if d == nil {
		d = &deed{workflow: workflow, step: step}
		m[id] = d
	}
	return d
}

// receive is a command arriving for the first time. Silent: no answer ever comes.
func (p *participants) receive(cmd *domain.Dispatch) (a domain.Answer, silent bool) {
	switch {
	case p.sim.weather.strikes(UnknownBefore):
		return unknown(), false
	case p.sim.weather.strikes(BadContract):
		return domain.Answer{Outcome: domain.ContractError, Error: &domain.StepError{Code: "BAD_REQUEST"}}, false
	}
	if a, silent = p.attend(cmd); p.sim.weather.strikes(UnknownAfter) {
		return unknown(), silent
	}
	return a, silent
}

// attend is a service looking at a command, if it is up and has the time.
func (p *participants) attend(cmd *domain.Dispatch) (a domain.Answer, silent bool) {
	s := p.sim
	switch {
	case s.now < p.down[cmd.Service] && s.rng.IntN(2) == 0:
		return domain.Answer{}, true
	case s.now < p.down[cmd.Service], s.weather.strikes(TryAgain):
		return domain.Answer{Outcome: domain.Retry, RetryAfter: s.within(20 * time.Second), Error: &domain.StepError{Code: codeBusy}}, false
	}
	if cmd.Undo {
		a = p.undo(cmd)
	} else {
		a = p.execute(cmd)
	}
	s.trace.add(s.now, cmd.WorkflowID, cmd.Service, "gets", cmd.CommandID, "and says", string(a.Outcome))
	return a, false
}

func unknown() domain.Answer {
	return domain.Answer{Outcome: domain.Unknown, Error: &domain.StepError{Code: codeInternal}}
}

func refused(code string) domain.Answer {
	return domain.Answer{Outcome: domain.Rejected, Error: &domain.StepError{Code: code}}
}

// execute is a forward command that reached its service in working order.
func (p *participants) execute(cmd *domain.Dispatch) domain.Answer {
	d := deedOf(p.forward, cmd.CommandID, cmd.WorkflowID, cmd.Step)
	switch {
	case d.done:
		return domain.Answer{Outcome: domain.Succeeded, Result: d.result}
	case d.tombstone && !p.forgets(d):
		return refused(codeTooLate)
	case d.refusal != "":
		return refused(d.refusal)
	case d.working:
		return domain.Answer{Outcome: domain.Accepted}
	case p.isDoomed(cmd), p.sim.weather.strikes(Reject):
		d.refusal = codeRefused
		return refused(d.refusal)
	case p.sim.weather.strikes(AnswersLater):
		p.promise(cmd, d)
		return domain.Answer{Outcome: domain.Accepted}
	}
	p.perform(cmd, d)
	return domain.Answer{Outcome: domain.Succeeded, Result: d.result}
}

// forgetful reports whether participants of this run keep no tombstones.
func (p *participants) forgetful() bool { return p.sim.weather.chance[Forgetful] > 0 }

// forgets reports whether a late command has its effect although its undo came
// first. The coordinator makes good for that once it has heard of the undo.
func (p *participants) forgets(d *deed) bool {
	st := p.sim.oracle.stories[d.workflow]
	c := st.shape.undoOf[st.shape.step[d.step]]
	return p.forgetful() && c >= 0 && st.state.Undos[c].Status == domain.StepCompleted
}

// isDoomed chooses, in a run of rejections, one step of each workflow.
func (p *participants) isDoomed(cmd *domain.Dispatch) bool {
	if p.sim.weather.mode != Rejections {
		return false
	}
	step, chosen := p.doomed[cmd.WorkflowID]
	if !chosen {
		candidates := rejectable(p.sim.templates.ofType(cmd.WorkflowType))
		step = candidates[p.sim.rng.IntN(len(candidates))]
		p.doomed[cmd.WorkflowID] = step
		p.sim.weather.hits[Reject]++
	}
	return step == cmd.Step
}

// perform has the effect.
func (p *participants) perform(cmd *domain.Dispatch, d *deed) {
	if d.tombstone {
		p.sim.weather.hits[Forgetful]++
	}
	d.done, d.at = true, p.sim.now
	d.result = json.RawMessage(`{"` + strings.ToLower(cmd.Step) + `":"` + cmd.CommandID + `"}`)
	if p.sim.weather.strikes(ResultMissing) {
		d.result = nil
	}
	p.sim.trace.add(p.sim.now, cmd.WorkflowID, cmd.Service, "performs", cmd.CommandID)
}

// promise does a command later and tells by callback, perhaps before its
// ACCEPTED was read.
func (p *participants) promise(cmd *domain.Dispatch, d *deed) {
	s := p.sim
	d.working = true
	wait := s.between(time.Second, 4*time.Minute)
	if s.weather.strikes(CallbackEarly) {
		wait = 0
	}
	c := *cmd
	for s.weather.strikes(Heartbeats) {
		s.after(s.within(wait+time.Second), func() { s.heartbeat(&c) })
	}
	s.after(wait, func() {
		d.working = false
		a := domain.Answer{Outcome: domain.Succeeded}
		switch {
		case d.done:
			a.Result = d.result
		case d.tombstone && !p.forgets(d):
			a = refused(codeTooLate)
		case s.weather.strikes(Reject):
			d.refusal = codeRefused
			a = refused(d.refusal)
		default:
			p.perform(&c, d)
			a.Result = d.result
		}
		if d.reported || !s.weather.strikes(CallbackLost) {
			s.callback(&c, a)
		}
		if s.weather.strikes(AnswerTwice) {
			s.after(s.within(5*time.Minute), func() { s.callback(&c, a) })
		}
	})
}

// undo is a compensation, or the hook, that reached its service.
func (p *participants) undo(cmd *domain.Dispatch) domain.Answer {
	u := deedOf(p.undos, cmd.CommandID, cmd.WorkflowID, cmd.Step)
	switch {
	case u.refusal != "":
		return refused(u.refusal)
	case u.working:
		return domain.Answer{Outcome: domain.Accepted}
	case !u.done && p.sim.weather.strikes(UndoRejected):
		u.refusal = codeRefused
		return refused(u.refusal)
	case !u.done && p.sim.weather.strikes(AnswersLater):
		u.working = true
		c := *cmd
		p.sim.after(p.sim.between(time.Second, time.Minute), func() {
			u.working = false
			p.revert(&c, u)
			if !p.sim.weather.strikes(CallbackLost) {
				p.sim.callback(&c, domain.Answer{Outcome: domain.Succeeded})
			}
		})
		return domain.Answer{Outcome: domain.Accepted}
	}
	p.revert(cmd, u)
	return domain.Answer{Outcome: domain.Succeeded}
}

// revert takes the effect back, or sees to it that it never happens.
func (p *participants) revert(cmd *domain.Dispatch, u *deed) {
	u.done, u.at = true, p.sim.now
	if cmd.Forward == nil {
		return
	}
	d := deedOf(p.forward, cmd.Forward.CommandID, cmd.WorkflowID, cmd.Forward.Step)
	if d.done {
		d.undone = true
	} else {
		d.tombstone = true
	}
	p.sim.trace.add(p.sim.now, cmd.WorkflowID, cmd.Service, "undoes", cmd.Forward.CommandID, "by", cmd.CommandID)
}
