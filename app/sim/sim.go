package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
)

// Bounds of a run.
const (
	DefaultReplicas = 2
	minWorkflows    = 4
	maxWorkflows    = 14
	// minTrouble and maxTrouble bound the virtual time in which faults strike.
	minTrouble = 90 * time.Second
	maxTrouble = 12 * time.Minute
	// settleWithin is how much virtual time a run may take to come to rest once
	// the faults have stopped: the longest park and deadline, with room.
	settleWithin = 6 * time.Hour
	// maxSteps bounds a run that spins without time passing.
	maxSteps = 2_000_000
	// operatorRounds is how often an operator retries what is parked in the end.
	operatorRounds = 3
	// finalCheckEvery is how often a run looks whether it has come to rest.
	finalCheckEvery = time.Second
)

// epoch is when virtual time begins.
var epoch = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

// Options say what to simulate. The zero value of each member means its default.
type Options struct {
	Seed uint64
	// Replicas is how many coordinators run at once. Default 2.
	Replicas int
	// Trace keeps the text of everything that happens in Result.Trace.
	Trace bool

	bug *bug // planted by tests, to prove that it is found
}

// Result is what one seed came to.
type Result struct {
	Seed      uint64
	Mode      Mode
	Steps     int           // things that happened
	Virtual   time.Duration // how long it took in virtual time
	Workflows int
	Events    int // of the domain, committed
	Ended     map[domain.Status]int
	Hits      [faultCount]int // how often each fault struck
	// Hash is of everything that happened, in order: equal for equal seeds.
	Hash      uint64
	Violation *Violation
	Trace     []string // of all workflows, if asked for
}

// Violation is a broken promise.
type Violation struct {
	Promise  string // its name in the catalogue
	Detail   string
	Workflow string // "" if it is not about one
	Seed     uint64
	Step     int
	At       time.Duration
	Trace    []string // what happened to the workflow and to the replicas
}

// String is a report to debug from.
func (v *Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: promise %s broken at step %d, %s: %s\n", v.Seed, v.Promise, v.Step, v.At, v.Detail)
	if v.Workflow != "" {
		fmt.Fprintf(&b, "workflow %s:\n", v.Workflow)
	}
	for _, l := range v.Trace {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.String()
}

// Run simulates one seed.
func Run(o Options) Result {
	s := newSimulation(o, o.Trace)
	s.run()
	if s.violation != nil && !o.Trace { // once more, now keeping the text
		s = newSimulation(o, true)
		s.run()
	}
	return s.result()
}

// simulation is one run.
type simulation struct {
	opts      Options
	rng       *rand.Rand
	weather   *weather
	queue     queue
	now       time.Duration
	step      int
	ids       uint64
	trace     trace
	templates *templates

	store        *store
	port         storePort // the store as the replicas see it
	storeDown    time.Duration
	busDown      time.Duration
	publishes    bool       // events go to a bus
	replicas     []*replica // by place; nil while down
	boots        int
	participants *participants
	callers      []*request
	oracle       *oracle

	limit     time.Duration
	rounds    int
	rested    bool
	violation *Violation
}

func newSimulation(o Options, keep bool) *simulation {
	if o.Replicas <= 0 {
		o.Replicas = DefaultReplicas
	}
	s := &simulation{opts: o, rng: rand.New(rand.NewPCG(o.Seed, 0x5a6a5eed)), trace: trace{hash: fnvOffset, keep: keep}}
	s.weather = newWeather(s.rng)
	s.templates = o.bug.templates()
	s.publishes = s.rng.IntN(2) == 0
	s.oracle = newOracle(s)
	s.store = newStore(s)
	s.port = o.bug.store(s, s.store)
	s.participants = newParticipants(s)
	s.replicas = make([]*replica, o.Replicas)
	return s
}

func (s *simulation) run() {
	defer func() {
		if p := recover(); p != nil {
			s.broken("TOTALITY", "", "panic: %v\n%s", p, debug.Stack())
		}
		s.collectTrace()
	}()
	trouble := minTrouble + s.within(maxTrouble-minTrouble)
	for place := range s.replicas {
		s.boot(place)
	}
	s.planTrouble(trouble)
	s.planCallers(trouble)
	s.limit = trouble + settleWithin
	s.after(trouble, s.heal)
	for len(s.queue.list) > 0 && s.violation == nil && !s.rested {
		s.next()
	}
	if s.violation == nil {
		s.oracle.final()
	}
}

// next lets the next thing happen.
func (s *simulation) next() {
	e := s.queue.pop()
	if r := e.replica; r != nil {
		if r.dead {
			return
		}
		if r.pausedUntil > e.at {
			e.at = r.pausedUntil
			s.queue.push(e)
			return
		}
	}
	s.now = max(s.now, e.at)
	s.step++
	e.do()
	for _, r := range s.replicas {
		if r != nil {
			r.arm()
		}
	}
	switch {
	case s.now > s.limit:
		s.broken("I2", s.oracle.restless(), "not at rest %s of virtual time after the faults stopped", settleWithin)
	case s.step > maxSteps:
		s.broken("I2", s.oracle.restless(), "more than %d steps: something spins", maxSteps)
	}
}

// after plans something in the world.
func (s *simulation) after(d time.Duration, do func()) {
	s.queue.push(event{at: s.now + d, do: do})
}

// every plans something in the world that comes back by itself.
func (s *simulation) every(d time.Duration, do func()) {
	s.queue.push(event{at: s.now + d, periodic: true, do: func() {
		do()
		s.every(d, do)
	}})
}

// within is a random duration below d.
func (s *simulation) within(d time.Duration) time.Duration {
	return time.Duration(s.rng.Int64N(int64(d)))
}

// between is a random duration from a to b.
func (s *simulation) between(a, b time.Duration) time.Duration { return a + s.within(b-a+1) }

func (s *simulation) broken(promise, workflow, format string, args ...any) {
	if s.violation == nil {
		s.violation = &Violation{Promise: promise, Detail: fmt.Sprintf(format, args...), Workflow: workflow,
			Seed: s.opts.Seed, Step: s.step, At: s.now}
	}
}

func (s *simulation) collectTrace() {
	if s.violation != nil && s.trace.keep {
		s.violation.Trace = s.trace.of(s.violation.Workflow)
	}
}

// uuid is the next ID, in the form of a UUIDv7.
func (s *simulation) uuid() string {
	s.ids++
	return fmt.Sprintf("01890000-0000-7000-8000-%012x", s.ids)
}

// heal stops the faults: from here on everything works, and must come to an end.
func (s *simulation) heal() {
	s.trace.add(s.now, "", "the faults stop")
	s.weather.healed = true
	s.storeDown, s.busDown = 0, 0
	s.participants.heal()
	for _, r := range s.replicas {
		if r != nil {
			r.pausedUntil, r.fuse = 0, 0
		}
	}
	s.every(finalCheckEvery, s.lookForRest)
}

// lookForRest ends the run when nothing can happen any more. What is parked
// then gets an operator's retry, as a person would do after an incident.
func (s *simulation) lookForRest() {
	if s.queue.waiting > 0 || s.oracle.restless() != "" || s.violation != nil {
		return
	}
	if s.rounds < operatorRounds && s.retryParked() {
		s.rounds++
		s.limit = s.now + settleWithin
		return
	}
	s.rested = true
}

func (s *simulation) result() Result {
	r := Result{Seed: s.opts.Seed, Mode: s.weather.mode, Steps: s.step, Virtual: s.now, Workflows: len(s.store.order),
		Ended: map[domain.Status]int{}, Hits: s.weather.hits, Hash: s.trace.hash, Violation: s.violation}
	for _, id := range s.store.order {
		r.Events += s.store.flows[id].row.Version
		r.Ended[s.store.flows[id].row.Status]++
	}
	if s.opts.Trace {
		for _, l := range s.trace.lines {
			r.Trace = append(r.Trace, fmt.Sprintf("%12s  %s %s", l.at, l.workflow, l.text))
		}
	}
	return r
}
