package domain

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// FuzzPromises reads bytes as a template and a life of a workflow, and checks
// the promises of the core after every command:
//
//	go test -fuzz=FuzzPromises ./domain
func FuzzPromises(f *testing.F) {
	for _, seed := range fuzzSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { playLife(t, data) })
}

// TestRandomLives plays lives that no fuzzer has to find: the same ones each time.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		data := make([]byte, rng.IntN(600))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		playLife(t, data)
	}
}

// fuzzSeeds are lives of some length, made by a fixed rule.
func fuzzSeeds() [][]byte {
	seeds := [][]byte{nil, {0}, {1, 0, 9, 2, 9}}
	for n := range 40 {
		x := uint32(n*2654435761 + 12345)
		seed := make([]byte, 64+8*n)
		for i := range seed {
			x = x*1664525 + 1013904223
			seed[i] = byte(x >> 24)
		}
		seed[0] = byte(n % 4)
		seeds = append(seeds, seed)
	}
	return seeds
}

// bytesReader gives one choice after the other; zeros at the end.
type bytesReader struct{ data []byte }

func (r *bytesReader) empty() bool { return len(r.data) == 0 }

// below is a number from 0 to n-1.
func (r *bytesReader) below(n int) int {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return int(b) % n
}

func (r *bytesReader) one(in int) bool { return r.below(in) == in-1 }

// maxFuzzCommands bounds one life.
const maxFuzzCommands = 150

// life is one workflow being played.
type life struct {
	t      *testing.T
	r      *bytesReader
	now    time.Time
	s      State
	events []Event
	n      int
	ledger *effectLedger
	keys   map[string]string // command ID → parameters and context of its first sending
}

func playLife(t *testing.T, data []byte) {
	r := &bytesReader{data}
	l := &life{t: t, r: r, now: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC), keys: map[string]string{}}
	l.s = New("wf-01890000-0000-7000-8000-000000000001", fuzzTemplate(t, r))
	l.ledger = newEffectLedger(l.s.Template)
	defer l.report()
	input := fmt.Sprintf(`{"orderId":"o","amount":%d,"gift":%t}`, r.below(100), r.one(2))
	l.play(Start{SagaID: "saga-1", Input: json.RawMessage(input), Secret: []byte("0123456789abcdef")})
	for l.n < maxFuzzCommands && !r.empty() {
		l.play(l.command())
	}
	if whole := Fold(New(l.s.WorkflowID, l.s.Template), l.events); stateText(t, whole) != stateText(t, l.s) || l.s.Version != len(l.events) {
		t.Fatalf("the fold of all %d events is not the state, version %d", len(l.events), l.s.Version)
	}
}

// report tells the life of a workflow that broke a promise.
func (l *life) report() {
	if !l.t.Failed() {
		return
	}
	l.t.Logf("template %s", l.s.Template.JSON())
	for i, e := range l.events {
		text, err := json.Marshal(e)
		l.t.Logf("%3d %s %v", i+1, text, err)
	}
}

// command is what the bytes say comes next: mostly answers to what is out.
func (l *life) command() Command {
	r := l.r
	switch r.below(10) {
	case 0:
		l.now = l.now.Add(time.Duration(r.below(256)) * time.Second)
		return Tick{}
	case 1:
		if at := l.s.WakeAt(); at.After(l.now) {
			l.now = at
		}
		return Tick{}
	case 2:
		return l.person()
	case 3:
		return Heartbeat{CommandID: l.anyCommand()}
	default:
		return l.answer()
	}
}

func (l *life) person() Command {
	steps := l.s.Template.Steps
	from := ""
	switch r := l.r; r.below(5) {
	case 0:
		return CancelRequest{RequestID: l.requestID(), Reason: "R", InitiatedBy: "CUSTOMER", Force: r.one(2)}
	case 1:
		if r.one(2) {
			from = steps[r.below(len(steps))].Name
		}
		return CompensateRequest{RequestID: l.requestID(), FromStep: from, Force: r.one(2)}
	case 2:
		from = steps[r.below(len(steps))].Name
		fallthrough
	default:
		return RetryRequest{RequestID: l.requestID(), FromStep: from, Reset: r.one(3)}
	}
}

// requestID is new, or that of the last request once more.
func (l *life) requestID() string {
	if l.r.one(8) {
		return l.s.LastRequest
	}
	return fmt.Sprintf("r-%d", l.n)
}

// anyCommand is a command that is out, one that was, or one that never was.
func (l *life) anyCommand() string {
	if out := Effects(l.s, 0); len(out) > 0 && !l.r.one(4) {
		return out[l.r.below(len(out))].CommandID
	}
	if l.r.one(6) {
		return []string{"", "saga-1:1:NO:execute", "saga-1", "saga-1:9:S0:execute", "saga-2:1:S0:execute"}[l.r.below(5)]
	}
	ids := l.s.CommandIDs()
	if len(ids) == 0 {
		return ""
	}
	return ids[l.r.below(len(ids))]
}

func (l *life) answer() Command {
	r := l.r
	a := Answer{CommandID: l.anyCommand()}
	outcomes := []Outcome{Succeeded, Succeeded, Succeeded, Rejected, Retry, Unknown, Accepted, Deferred, ContractError, "NONSENSE"}
	a.Outcome = outcomes[r.below(len(outcomes))]
	a.Attempt = r.below(4) // 0 is: not known
	a.RetryAfter = time.Duration(r.below(30)) * time.Minute
	a.HeldSince = l.s.Version * r.below(2)
	if a.Outcome != Succeeded {
		a.Error = &StepError{Code: "C"}
	} else if !r.one(3) {
		a.Result = json.RawMessage(fmt.Sprintf(`{"v":%d}`, r.below(3)))
	}
	return a
}

// play lets one command happen and checks everything.
func (l *life) play(c Command) {
	l.n++
	l.now = l.now.Add(time.Millisecond)
	c = At(c, Moment{Now: l.now, Random: uint64(l.n) * 7919, NewID: fmt.Sprint(l.n)})
	before := l.s.clone()
	next, events, err := Advance(l.s, c)
	if !reflect.DeepEqual(before, l.s.clone()) {
		l.t.Fatalf("%#v changed the state it was given", c)
	}
	again, sameErr := Decide(l.s, c)
	if !reflect.DeepEqual(again, events) || fmt.Sprint(sameErr) != fmt.Sprint(err) {
		l.t.Fatalf("%#v was decided twice and differently", c)
	}
	l.check(c, events, next)
	l.s = next
	l.events = append(l.events, events...)
	l.effects(before.Version)
	l.goesOn()
}

// check judges each event by the state before it, and the fold of all by the state after.
func (l *life) check(c Command, events []Event, next State) {
	data, err := json.Marshal(events)
	if err != nil {
		l.t.Fatal(err)
	}
	var read []Event
	if err := json.Unmarshal(data, &read); err != nil {
		l.t.Fatal(err)
	}
	s := l.s
	for i, e := range read {
		after := Evolve(s, e)
		j := judgement{t: l.t, prev: &s, next: &after, event: &e, batch: read, at: i, ledger: l.ledger, command: c}
		j.judge()
		s = after
	}
	if want, got := stateText(l.t, next), stateText(l.t, s); want != got {
		l.t.Fatalf("the fold of the events is not the state:\n%s\n%s", got, want)
	}
}

func stateText(t testing.TB, s State) string {
	s = s.clone() // which has nil for empty
	s.Template = nil
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// effects: what is called for now is among everything unanswered, has one key
// per command, and says the same at each attempt.
func (l *life) effects(since int) {
	all := Effects(l.s, 0)
	for _, e := range Effects(l.s, since) {
		if !slices.ContainsFunc(all, func(o Dispatch) bool { return o.CommandID == e.CommandID }) {
			l.t.Fatalf("%s is called for and not unanswered", e.CommandID)
		}
	}
	if l.s.Unanswered() != (len(all) > 0) && !l.s.Status.Terminal() {
		l.t.Fatalf("Unanswered is %t with %d commands out", l.s.Unanswered(), len(all))
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.CommandID] {
			l.t.Fatalf("%s is the key of two commands", e.CommandID)
		}
		seen[e.CommandID] = true
		said := fmt.Sprint(l.ledger.resets, e.Step, e.Undo, string(e.Parameters), string(e.Context))
		if first, sent := l.keys[e.CommandID]; sent && first[:1] == said[:1] && first != said {
			l.t.Fatalf("%s said %s and now %s", e.CommandID, first, said)
		}
		l.keys[e.CommandID] = said
	}
}

// goesOn: a live workflow has a time at which something happens by itself, or
// is parked in plain sight; and at that time something does happen.
func (l *life) goesOn() {
	if l.s.Status.Terminal() {
		if len(Effects(l.s, 0)) > 0 || !l.s.WakeAt().IsZero() {
			l.t.Fatalf("%s and not at rest", l.s.Status)
		}
		return
	}
	at := l.s.WakeAt()
	if at.IsZero() {
		if l.s.Parked == nil || len(l.s.AllowedActions()) == 0 {
			l.t.Fatalf("%s %s and nothing will ever happen", l.s.Status, l.s.Saga)
		}
		return
	}
	// An undo whose time has come may wait for another behind the barrier: then
	// that one has a time of its own.
	for _, at := range append(l.dueTimes(), at) {
		if events, err := Decide(l.s, At(Tick{}, Moment{Now: later(at, l.now), NewID: "tick"})); err == nil && len(events) > 0 {
			return
		}
	}
	l.t.Fatalf("%s %s is due at %s and nothing happens then", l.s.Status, l.s.Saga, at)
}

// dueTimes are the times of everything that is out or waits.
func (l *life) dueTimes() []time.Time {
	var all []time.Time
	for _, list := range [][]StepState{l.s.Steps, l.s.Undos} {
		for i := range list {
			switch list[i].Status {
			case StepInProgress:
				all = append(all, list[i].Deadline)
			case StepRetrying:
				all = append(all, list[i].RetryAt)
			}
		}
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
