package engine_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/domain"
)

const oneStep = `{"templateId":"tmpl-one","name":"One","type":"ONE","version":"1","steps":[
 {"name":"ONLY","service":"s","action":"only","retryPolicy":{"maxAttempts":2,"backoffMultiplier":1}}]}`

func TestARetryIsNotLateBecauseItsTimeIsFinerThanTheLog(t *testing.T) {
	t.Parallel()
	template, err := domain.ParseTemplate([]byte(oneStep))
	if err != nil {
		t.Fatal(err)
	}
	h := newHolding(t)
	start := domain.At(domain.Start{SagaID: "saga-1", Input: json.RawMessage(`{}`)}, domain.Moment{Now: h.now})
	if h.state, _, err = domain.Advance(domain.New(heldWorkflow, template), start); err != nil {
		t.Fatal(err)
	}
	h.Adopt(h.now, h.state, nil)
	const wait = time.Second + 300*time.Microsecond
	h.Handle(h.now, engine.Request{WorkflowID: heldWorkflow, Command: domain.Answer{
		CommandID: "saga-1:1:ONLY:execute", Attempt: 1, Outcome: domain.Retry, RetryAfter: wait}})
	h.Committed(h.now, heldWorkflow, nil)

	due := h.now.Add(wait)
	h.now = h.NextWake()
	if h.now.Before(due) || h.now.Sub(due) >= engine.Resolution {
		t.Errorf("wakes %s after it is due", h.now.Sub(due))
	}
	h.Tick(h.now)
	if len(h.world.commits) != 2 {
		t.Fatalf("%d commits: the first tick found nothing to do", len(h.world.commits))
	}
	if again := h.events(t, h.world.commits[1])[0]; again.Type != domain.StepStarted || again.Attempt != 2 {
		t.Errorf("recorded %s, attempt %d", again.Type, again.Attempt)
	}
}
