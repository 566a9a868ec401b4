package domain

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata/scenarios with what happens now; review the diff")

// TestScenarios plays the files of testdata/scenarios. A line that starts with
// ">" is a command; the lines below it are what it leads to: events, commands
// sent, and the state. Times are relative to the start.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playScenario(t, string(text)).out.String()
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("it went otherwise:\n%s", got)
			}
		})
	}
}

type player struct {
	t      *testing.T
	start  time.Time
	now    time.Time
	s      State
	events []Event
	out    strings.Builder
	n      int
}

func playScenario(t *testing.T, text string) *player {
	p := &player{t: t, start: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)}
	p.now = p.start
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
			p.out.WriteString(line)
		case strings.HasPrefix(line, "template "):
			p.out.WriteString(line)
			p.s = New("wf-01890000-0000-7000-8000-000000000001", loadTemplate(t, strings.TrimSpace(line[9:])))
		case strings.HasPrefix(line, ">"):
			p.out.WriteString(line)
			p.play(strings.Fields(line[1:]))
		}
	}
	return p
}

func loadTemplate(t testing.TB, name string) *Template {
	data, err := os.ReadFile("testdata/templates/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := ParseTemplate(data)
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func (p *player) play(words []string) {
	p.now = p.now.Add(time.Second)
	c := p.command(words)
	p.n++
	c = At(c, Moment{Now: p.now, Random: 0, NewID: fmt.Sprintf("%d", p.n)})
	before := p.s.clone()
	next, events, err := Advance(p.s, c)
	if !reflect.DeepEqual(before, p.s) {
		p.t.Fatalf("%v: Advance changed the state it was given", words)
	}
	if err != nil {
		fmt.Fprintf(&p.out, "    error: %v%s\n", err, detail(err))
	}
	for _, e := range events {
		p.out.WriteString("    " + p.describe(e) + "\n")
	}
	for _, d := range Effects(next, p.s.Version) {
		id, _ := strings.CutPrefix(d.CommandID, d.SagaID+":")
		fmt.Fprintf(&p.out, "    send %s to %s/%s #%d %s", id, d.Service, d.Action, d.Attempt, d.Parameters)
		if d.Forward != nil {
			fmt.Fprintf(&p.out, " undoing %s %s", d.Forward.Step, d.Forward.Outcome)
		}
		p.out.WriteString("\n")
	}
	p.s = next
	p.events = append(p.events, events...)
	p.summary()
	checkFold(p.t, p.s, p.events)
}

func detail(err error) string {
	var se *StateError
	if errors.As(err, &se) {
		return fmt.Sprintf(" [%s%s]", se.Reason, strings.TrimRight(" "+se.ResumesFrom, " "))
	}
	return ""
}

func (p *player) summary() {
	s := &p.s
	if s.Version == 0 {
		return
	}
	fmt.Fprintf(&p.out, "    = %s %s v%d at %s", s.Status, s.Saga, s.Version, s.CurrentStep())
	if s.Parked != nil {
		fmt.Fprintf(&p.out, " parked %s %s", s.Parked.Reason, s.Parked.Step)
	}
	if at := s.WakeAt(); !at.IsZero() {
		fmt.Fprintf(&p.out, " wake %s", p.rel(at))
	}
	p.out.WriteString("\n")
}

func (p *player) rel(at time.Time) string { return "+" + at.Sub(p.start).String() }

func (p *player) describe(e Event) string {
	parts := []string{string(e.Type)}
	if e.Step != "" {
		parts = append(parts, e.Step)
	}
	if e.Attempt > 0 {
		parts = append(parts, fmt.Sprintf("#%d", e.Attempt))
	}
	if e.Key > 1 {
		parts = append(parts, fmt.Sprintf("key %d", e.Key))
	}
	if e.Outcome != "" {
		parts = append(parts, string(e.Outcome))
	}
	if e.Reason != "" {
		parts = append(parts, "because "+e.Reason)
	}
	if e.Error != nil {
		parts = append(parts, "("+e.Error.Code+")")
	}
	if e.Waived {
		parts = append(parts, "waived")
	}
	if e.Start != nil {
		for _, f := range e.Start.First {
			parts = append(parts, "starting "+f.Step)
		}
	}
	if c := e.Compensation; c != nil {
		parts = append(parts, fmt.Sprintf("towards %s scope %v", c.Goal, c.Scope))
		if c.Run > 0 {
			parts = append(parts, fmt.Sprintf("run %d", c.Run))
		}
	}
	if r := e.Resume; r != nil {
		parts = append(parts, fmt.Sprintf("run %d", r.Run))
	}
	if !e.Until.IsZero() {
		parts = append(parts, "until "+p.rel(e.Until))
	}
	return strings.Join(parts, " ")
}

const orderInput = `{"orderId":"ord-1","customerId":"cust-1","items":[{"productId":"p1","quantity":2,"unitPrice":5.00}],
	"paymentMethod":{"token":"tok_visa","amount":10.00,"currency":"USD"},"options":{"priority":"NORMAL"}}`

func (p *player) command(words []string) Command {
	has := func(word string) bool {
		for _, w := range words {
			if w == word {
				return true
			}
		}
		return false
	}
	after := func(word string) string {
		for i, w := range words[:len(words)-1] {
			if w == word {
				return words[i+1]
			}
		}
		return ""
	}
	switch words[0] {
	case "start":
		return Start{SagaID: "saga-1", BusinessKey: "ord-1", CustomerID: "cust-1", Priority: "NORMAL", Input: json.RawMessage(orderInput), Secret: []byte("0123456789abcdef")}
	case "answer":
		return p.answerCommand(words[1:])
	case "heartbeat":
		return Heartbeat{CommandID: p.commandID(words[1])}
	case "tick":
		d, err := time.ParseDuration(strings.TrimPrefix(words[1], "+"))
		if err != nil {
			p.t.Fatal(err)
		}
		p.now = p.start.Add(d)
		return Tick{}
	case "cancel":
		by := after("by")
		if by == "" {
			by = "CUSTOMER"
		}
		return CancelRequest{Reason: "CUSTOMER_REQUESTED", InitiatedBy: by, Force: has("force")}
	case "retry":
		return RetryRequest{FromStep: after("from"), Reset: has("reset")}
	case "compensate":
		return CompensateRequest{FromStep: after("from"), Force: has("force")}
	}
	p.t.Fatalf("unknown command %v", words)
	return nil
}

// answerCommand reads STEP OUTCOME [result or code] [attempt N].
func (p *player) answerCommand(words []string) Command {
	a := Answer{CommandID: p.commandID(words[0]), Outcome: Outcome(words[1])}
	for i := 2; i < len(words); i++ {
		switch {
		case words[i] == "attempt":
			_, _ = fmt.Sscan(words[i+1], &a.Attempt)
			i++
		case words[i] == "after":
			a.RetryAfter, _ = time.ParseDuration(words[i+1])
			i++
		case strings.HasPrefix(words[i], "{"):
			a.Result = json.RawMessage(words[i])
		default:
			a.Error = &StepError{Code: words[i]}
		}
	}
	return a
}

// commandID takes a full command ID without the saga, or the name of a step or undo.
func (p *player) commandID(name string) string {
	if strings.Contains(name, ":") {
		return "saga-1:" + name
	}
	if i, ok := p.s.Template.graph.index[name]; ok {
		return CommandID("saga-1", p.s.Steps[i].Run, name, false, p.s.Steps[i].Key)
	}
	if i, ok := p.s.Template.graph.undos[name]; ok {
		return CommandID("saga-1", p.s.Undos[i].Run, name, true, p.s.Undos[i].Key)
	}
	return "saga-1:1:" + name + ":execute"
}

// checkFold: the stored events, read back, give the state they led to.
func checkFold(t testing.TB, s State, events []Event) {
	t.Helper()
	data, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	var read []Event
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	folded := Fold(New(s.WorkflowID, s.Template), read)
	text := func(s State) string {
		s.Template = nil
		b, err := json.Marshal(struct {
			State   State
			Context map[string]json.RawMessage
		}{s, s.Context()})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got, want := text(folded), text(s); s.Version != len(events) || got != want {
		t.Fatalf("the fold of %d events is not the state:\n%s\n%s", len(events), got, want)
	}
}
