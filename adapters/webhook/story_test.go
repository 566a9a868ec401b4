package webhook

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

var storyBegins = time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)

// story is a workflow that a test moves on by what participants answer.
type story struct {
	t    testing.TB
	now  time.Time
	made int
	snap ports.Snapshot
}

func builtin(t testing.TB, name string) *domain.Template {
	t.Helper()
	text, err := os.ReadFile("../../app/templates/builtin/" + name + ".yaml")
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
	template, err := domain.ParseTemplate(data)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

const orderInput = `{"orderId":"ord-1","customerId":"cust-1","items":[{"productId":"p","quantity":1,"unitPrice":1499.97}],
	"paymentMethod":{"type":"CREDIT_CARD","token":"tok_canary","amount":1499.97,"currency":"USD"},
	"shippingAddress":{"name":"Canary McCanaryface","street":"17 Canary Street","city":"Springfield","zipCode":"00000","country":"US","phone":"+15550123456789"},
	"shippingMethod":"EXPRESS"}`

func orderStory(t testing.TB) *story {
	t.Helper()
	s := &story{t: t, now: storyBegins}
	s.snap.State = domain.New("wf-660e8400-e29b-41d4-a716-446655440000", builtin(t, "order-fulfillment"))
	s.does(domain.Start{SagaID: "saga-770e8400-e29b-41d4-a716-446655440000", BusinessKey: "ord-1", CustomerID: "cust-1",
		Priority: "NORMAL", Input: json.RawMessage(orderInput), Secret: []byte("0123456789abcdef")})
	return s
}

func (s *story) does(c domain.Command) *story {
	s.t.Helper()
	s.made++
	state, events, err := domain.Advance(s.snap.State, domain.At(c, domain.Moment{Now: s.now, NewID: fmt.Sprintf("018d0ea9-0000-7000-8000-%012d", s.made)}))
	if err != nil || len(events) == 0 {
		s.t.Fatalf("%T leads to nothing: %v", c, err)
	}
	s.snap.State, s.snap.Events = state, append(s.snap.Events, events...)
	return s
}

func (s *story) after(d time.Duration) *story {
	s.now = s.now.Add(d)
	return s
}

// answers what is sent now.
func (s *story) answers(outcome domain.Outcome, result string, failure *domain.StepError) *story {
	s.t.Helper()
	sent := domain.Effects(s.snap.State, 0)
	if len(sent) == 0 {
		s.t.Fatal("nothing waits for an answer")
	}
	return s.does(domain.Answer{CommandID: sent[0].CommandID, Attempt: sent[0].Attempt, Outcome: outcome, Result: json.RawMessage(result), Error: failure})
}

func (s *story) succeeds(result string) *story {
	s.t.Helper()
	return s.answers(domain.Succeeded, result, nil)
}

// payloads are those of all events so far that are told, by name, in order.
func (s *story) payloads() (names []string, all []payload) {
	s.t.Helper()
	for i := range s.snap.Events {
		name := s.snap.Events[i].Announced(s.snap.State.Template)
		if name == "" {
			continue
		}
		p, err := render(&s.snap, i+1)
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		names, all = append(names, string(name)), append(all, p)
	}
	return names, all
}
