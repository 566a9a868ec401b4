package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// engine keeps workflows in memory and decides with the real domain. Nothing
// happens by itself: a test says what participants answer and what time it is.
type engine struct {
	mu        sync.Mutex
	now       time.Time
	made      int // IDs so far
	templates []*domain.Template
	flows     map[string]*ports.Snapshot
	keys      map[string]keyRecord
	changed   chan struct{} // closed and replaced at every change
	refuse    error         // what every call returns, if set
	calls     int           // of mutations that reached the engine
	counts    []ports.Count
	page      ports.ListPage
	asked     ports.ListQuery
	health    ports.Health
	audit     ports.AuditPage
	audited   ports.AuditQuery
}

type keyRecord struct {
	fingerprint, workflowID string
	version                 int
}

func newEngine(t testing.TB) *engine {
	t.Helper()
	e := &engine{now: time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC), flows: map[string]*ports.Snapshot{}, keys: map[string]keyRecord{},
		changed: make(chan struct{}), health: ports.Health{StoreUp: true, BusUp: true}}
	files, err := filepath.Glob("../../app/templates/builtin/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no built-in templates: %v", err)
	}
	for _, file := range files {
		e.templates = append(e.templates, loadTemplate(t, file))
	}
	return e
}

func loadTemplate(t testing.TB, file string) *domain.Template {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return parseTemplate(t, string(data))
}

func parseTemplate(t testing.TB, text string) *domain.Template {
	t.Helper()
	template, err := domain.ParseTemplate([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func (e *engine) Now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// after moves the time on.
func (e *engine) after(d time.Duration) *engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
	return e
}

func (e *engine) uuid() string {
	e.made++
	return fmt.Sprintf("018d0ea9-0000-7000-8000-%012d", e.made)
}

func (e *engine) moment() domain.Moment { return domain.Moment{Now: e.now, NewID: e.uuid()} }

// decide applies a command to a workflow.
func (e *engine) decide(snap *ports.Snapshot, c domain.Command) error {
	state, events, err := domain.Advance(snap.State, domain.At(c, e.moment()))
	if len(events) > 0 {
		snap.State, snap.Events = state, append(snap.Events, events...)
		close(e.changed)
		e.changed = make(chan struct{})
	}
	return err
}

func (e *engine) replay(key *ports.IdempotencyKey) (ports.Receipt, bool, error) {
	if key == nil {
		return ports.Receipt{}, false, nil
	}
	record, found := e.keys[key.Scope]
	if !found {
		return ports.Receipt{}, false, nil
	}
	if record.fingerprint != key.Fingerprint {
		return ports.Receipt{}, true, ports.ErrKeyReused
	}
	snap := e.flows[record.workflowID]
	events := snap.Events[:record.version]
	return ports.Receipt{State: domain.Fold(domain.New(record.workflowID, snap.State.Template), events), Events: events, Replayed: true}, true, nil
}

func (e *engine) remember(key *ports.IdempotencyKey, snap *ports.Snapshot) {
	if key != nil {
		e.keys[key.Scope] = keyRecord{key.Fingerprint, snap.State.WorkflowID, snap.State.Version}
	}
}

// Start is ports.Workflows.
func (e *engine) Start(_ context.Context, r ports.StartRequest) (ports.Receipt, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	if e.refuse != nil {
		return ports.Receipt{}, e.refuse
	}
	if receipt, done, err := e.replay(r.Key); done {
		return receipt, err
	}
	var template *domain.Template
	for _, t := range e.templates {
		if t.Type == r.Type {
			template = t
		}
	}
	if template == nil {
		return ports.Receipt{}, ports.ErrNotFound
	}
	for id, other := range e.flows {
		s := &other.State
		if s.Template.Type == r.Type && s.BusinessKey == r.BusinessKey && s.Status != domain.Failed && s.Status != domain.Cancelled {
			return ports.Receipt{}, &ports.ExistsError{WorkflowID: id}
		}
	}
	id := "wf-" + e.uuid()
	snap := &ports.Snapshot{State: domain.New(id, template)}
	e.flows[id] = snap
	err := e.decide(snap, domain.Start{SagaID: "saga-" + e.uuid(), BusinessKey: r.BusinessKey, CustomerID: r.CustomerID, Priority: r.Priority,
		Input: r.Input, Secret: []byte("sixteen bytes...")})
	e.remember(r.Key, snap)
	return ports.Receipt{State: snap.State}, err
}

func (e *engine) change(id string, c domain.Command, key *ports.IdempotencyKey) (ports.Receipt, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	if e.refuse != nil {
		return ports.Receipt{}, e.refuse
	}
	if receipt, done, err := e.replay(key); done {
		return receipt, err
	}
	snap, found := e.flows[id]
	if !found {
		return ports.Receipt{}, ports.ErrNotFound
	}
	if err := e.decide(snap, c); err != nil {
		return ports.Receipt{}, err
	}
	e.remember(key, snap)
	return ports.Receipt{State: snap.State}, nil
}

// Cancel is ports.Workflows.
func (e *engine) Cancel(_ context.Context, id string, r domain.CancelRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return e.change(id, r, key)
}

// Retry is ports.Workflows.
func (e *engine) Retry(_ context.Context, id string, r domain.RetryRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return e.change(id, r, key)
}

// Compensate is ports.Workflows.
func (e *engine) Compensate(_ context.Context, id string, r domain.CompensateRequest, key *ports.IdempotencyKey) (ports.Receipt, error) {
	return e.change(id, r, key)
}

func (e *engine) command(token string) (*ports.Snapshot, string, error) {
	id, mac, err := domain.ParseCallbackToken(token)
	snap := e.flows[id]
	if err != nil || snap == nil {
		return nil, "", ports.ErrUnknownToken
	}
	for _, command := range snap.State.CommandIDs() {
		if domain.VerifyCallbackToken(snap.State.Secret, command, mac) {
			return snap, command, nil
		}
	}
	return nil, "", ports.ErrUnknownToken
}

// Answer is ports.Answers.
func (e *engine) Answer(_ context.Context, token string, a domain.Answer) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	snap, command, err := e.command(token)
	if err != nil {
		return err
	}
	a.CommandID = command
	return e.decide(snap, a)
}

// Heartbeat is ports.Answers.
func (e *engine) Heartbeat(_ context.Context, token string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	snap, command, err := e.command(token)
	if err != nil {
		return err
	}
	return e.decide(snap, domain.Heartbeat{CommandID: command})
}

// dispatch is the command of a step, or of an undo, that awaits its answer.
func (e *engine) dispatch(t testing.TB, id, step string) domain.Dispatch {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range domain.Effects(e.flows[id].State, 0) {
		if d.Step == step {
			return d
		}
	}
	t.Fatalf("%s of %s is not in flight; the workflow is %s", step, id, e.flows[id].State.Status)
	return domain.Dispatch{}
}

// answers makes the participant of a step answer.
func (e *engine) answers(t testing.TB, id, step string, a domain.Answer) {
	t.Helper()
	a.CommandID = e.dispatch(t, id, step).CommandID
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.decide(e.flows[id], a); err != nil {
		t.Fatal(err)
	}
}

func (e *engine) succeeds(t testing.TB, id, step, result string) {
	t.Helper()
	e.answers(t, id, step, domain.Answer{Outcome: domain.Succeeded, Result: json.RawMessage(result)})
}

func (e *engine) rejects(t testing.TB, id, step, code, message string) {
	t.Helper()
	e.answers(t, id, step, domain.Answer{Outcome: domain.Rejected, Error: &domain.StepError{Code: code, Message: message}})
}

// exhausts answers with an outcome until the command is given up.
func (e *engine) exhausts(t testing.TB, id, step string, outcome domain.Outcome, attempts int) {
	t.Helper()
	for range attempts {
		e.answers(t, id, step, domain.Answer{Outcome: outcome, Error: &domain.StepError{Code: "PROVIDER_TIMEOUT"}})
		e.after(2 * time.Minute)
		e.tick(t, id)
	}
}

func (e *engine) tick(t testing.TB, id string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.decide(e.flows[id], domain.Tick{}); err != nil {
		t.Fatal(err)
	}
}

func (e *engine) state(id string) domain.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flows[id].State
}

// onlyWorkflow waits until a workflow was started, and is its ID.
func (e *engine) onlyWorkflow(t testing.TB) string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		changed := e.changed
		for id := range e.flows {
			e.mu.Unlock()
			return id
		}
		e.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("no workflow was started")
		}
	}
}

func (e *engine) currentStep(id string) string {
	state := e.state(id)
	return state.CurrentStep()
}

// until waits for a state of a workflow.
func (e *engine) until(t testing.TB, id string, reached func(*domain.State) bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	if _, err := e.wait(ctx, id, reached); err != nil {
		t.Fatal(err)
	}
}

func (e *engine) callCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls
}
