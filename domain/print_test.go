package domain

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestPrintingShowsNothingSensitive(t *testing.T) {
	t.Parallel()
	input := json.RawMessage(personal)
	event := StartEvent{SagaID: "saga-1", Input: input, Secret: []byte("tok_canary")}
	values := []any{
		Start{SagaID: "saga-1", Input: input, Secret: []byte("tok_canary")}, &Start{SagaID: "saga-1", Input: input},
		event, &event, Event{Type: WorkflowStarted, Start: &event},
		Dispatch{CommandID: "saga-1:1:PAY:execute", Parameters: input, Context: input, Token: "tok_canary", Simulate: input},
		State{WorkflowID: "saga-1", Input: input, Secret: []byte("tok_canary")}, &State{WorkflowID: "saga-1", Input: input},
	}
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "anary") || strings.Contains(text, "616e617279") || strings.Contains(text, "97 110 97") {
				t.Errorf("%s of %T: %s", verb, value, text)
			}
		}
	}
	for _, value := range []any{values[0], values[5], values[6]} {
		if text, err := json.Marshal(value); err != nil || strings.Contains(string(text), "anary") || !strings.Contains(string(text), "saga-1") {
			t.Errorf("as JSON: %s, %v", text, err)
		}
	}
}
