package domain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const validTemplate = `{"templateId":"tmpl-x","name":"X","type":"X","version":"1","businessKey":"orderId","timeout":"PT1H",
 "steps":[
  {"name":"A","service":"s","action":"a","retryPolicy":{"maxAttempts":2,"backoffMultiplier":2,"initialInterval":"PT1S","maxInterval":"PT1M","jitter":0.5}},
  {"name":"B","service":"s","action":"b","kind":"pivot","onExhausted":"PARK","parkFor":"PT5M"},
  {"name":"C","service":"s","action":"c","kind":"retriable","after":["B"]}],
 "compensationSteps":[
  {"name":"UNDO_A","compensates":"A","service":"s","action":"undo_a"},
  {"name":"TELL","service":"s","action":"tell"}]}`

// TestTemplateFaults: each fault of a template is named, with the member it is in.
func TestTemplateFaults(t *testing.T) {
	t.Parallel()
	if _, err := ParseTemplate([]byte(validTemplate)); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", MaxTextLength+1)
	for _, c := range []struct{ name, old, new, fault string }{
		{"not JSON", `{"templateId"`, `{templateId`, "invalid character"},
		{"an unknown member", `"version":"1"`, `"version":"1","colour":"red"`, "colour"},
		{"an ID of another form", `"tmpl-x"`, `"x y"`, "templateId:"},
		{"a type in lower case", `"type":"X"`, `"type":"x"`, "type:"},
		{"no version", `"version":"1"`, `"version":""`, "version:"},
		{"no name", `"name":"X"`, `"name":""`, "name:"},
		{"a long description", `"version":"1"`, `"version":"1","description":"` + long + `"`, "description:"},
		{"a short timeout", `"timeout":"PT1H"`, `"timeout":"PT0.001S"`, "timeout:"},
		{"a long timeout", `"timeout":"PT1H"`, `"timeout":"PT9000H"`, "timeout:"},
		{"a business key that is no member", `"businessKey":"orderId"`, `"businessKey":"order id"`, "businessKey:"},
		{"a step in lower case", `"name":"C","service"`, `"name":"c","service"`, "steps.c: name"},
		{"a step twice", `"name":"C","service"`, `"name":"A","service"`, "steps.A: name is used twice"},
		{"an unknown kind", `"kind":"pivot"`, `"kind":"turn"`, "steps.B.kind:"},
		{"an unknown policy", `"onExhausted":"PARK"`, `"onExhausted":"WAIT"`, "steps.B.onExhausted:"},
		{"an unknown policy for rejections", `"onExhausted":"PARK"`, `"onExhausted":"PARK","onRejected":"WAIT"`, "steps.B.onRejected:"},
		{"parkFor without PARK", `"onExhausted":"PARK"`, `"onExhausted":"COMPENSATE"`, "steps.B.parkFor:"},
		{"a service in upper case", `"service":"s","action":"c"`, `"service":"S","action":"c"`, "steps.C.service:"},
		{"an action with a slash", `"action":"c"`, `"action":"c/d"`, "steps.C.action:"},
		{"a step's short timeout", `"action":"c"`, `"action":"c","timeout":"PT0.001S"`, "steps.C.timeout:"},
		{"a step's long description", `"action":"c"`, `"action":"c","description":"` + long + `"`, "steps.C.description:"},
		{"too many attempts", `"maxAttempts":2`, `"maxAttempts":101`, "steps.A.retryPolicy.maxAttempts:"},
		{"a shrinking backoff", `"backoffMultiplier":2`, `"backoffMultiplier":0.5`, "steps.A.retryPolicy.backoffMultiplier:"},
		{"a multiplier that is no number", `"backoffMultiplier":2`, `"backoffMultiplier":"2"`, "is not a number"},
		{"a multiplier with four decimals", `"backoffMultiplier":2`, `"backoffMultiplier":2.0001`, "three decimals"},
		{"a first wait above the longest", `"initialInterval":"PT1S"`, `"initialInterval":"PT2M"`, "steps.A.retryPolicy.initialInterval:"},
		{"a longest wait of days", `"maxInterval":"PT1M"`, `"maxInterval":"PT25H"`, "steps.A.retryPolicy.maxInterval:"},
		{"more jitter than the wait", `"jitter":0.5`, `"jitter":1.5`, "steps.A.retryPolicy.jitter:"},
		{"a predecessor that is none", `"after":["B"]`, `"after":["Z"]`, `steps.C.after: "Z"`},
		{"a circle", `"after":["B"]`, `"after":["C"]`, `steps.C.after: "C"`},
		{"retriable before the pivot", `"after":["B"]`, `"after":["A"]`, "steps.C.kind:"},
		{"a second pivot", `"kind":"retriable"`, `"kind":"pivot"`, "steps.C.kind: a second pivot"},
		{"a pivot that is passed over", `"onExhausted":"PARK","parkFor":"PT5M"`, `"onExhausted":"CONTINUE"`, "steps.B.onExhausted:"},
		{"a pivot that is passed over when refused", `"onExhausted":"PARK"`, `"onExhausted":"PARK","onRejected":"CONTINUE"`, "steps.B.onRejected:"},
		{"an undo of nothing", `"compensates":"A"`, `"compensates":"Z"`, `compensationSteps.UNDO_A.compensates: "Z"`},
		{"two undos of one step", `{"name":"TELL",`, `{"name":"TELL","compensates":"A",`, "compensationSteps.TELL.compensates:"},
		{"an undo named like a step", `"name":"UNDO_A"`, `"name":"B"`, "compensationSteps.B: name is used twice"},
		{"two hooks", `"compensates":"A",`, ``, "hook"},
		{"an undo's attempts", `"action":"undo_a"`, `"action":"undo_a","retryPolicy":{"maxAttempts":1000,"backoffMultiplier":2}`, "compensationSteps.UNDO_A.retryPolicy.maxAttempts:"},
		{"a condition that is none", `"action":"c"`, `"action":"c","condition":"input.x =="`, "condition"},
		{"a look-up that is none", `"action":"c"`, `"action":"c","parameters":{"x":"{{nowhere}}"}`, "parameters"},
		{"a duration that is none", `"parkFor":"PT5M"`, `"parkFor":"5m"`, "ISO 8601"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(validTemplate, c.old) {
				t.Fatalf("the valid template has no %s", c.old)
			}
			_, err := ParseTemplate([]byte(strings.Replace(validTemplate, c.old, c.new, 1)))
			var faults *TemplateError
			if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want a TemplateError with %q", err, c.fault)
			}
		})
	}
}

func TestAllTemplateFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := ParseTemplate([]byte(strings.NewReplacer(`"tmpl-x"`, `"x y"`, `"kind":"pivot"`, `"kind":"turn"`, `"compensates":"A"`, `"compensates":"Z"`).Replace(validTemplate)))
	var faults *TemplateError
	if !errors.As(err, &faults) || len(faults.Faults) < 3 {
		t.Errorf("got %v", err)
	}
}

// TestTemplateJSONIsCanonical: what is stored can be loaded again and is the
// same template, by its hash, on every replica.
func TestTemplateJSONIsCanonical(t *testing.T) {
	t.Parallel()
	first, err := ParseTemplate([]byte(validTemplate))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseTemplate(first.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != first.Hash() || string(again.JSON()) != string(first.JSON()) {
		t.Errorf("%s\n%s", first.JSON(), again.JSON())
	}
	spaced := strings.ReplaceAll(validTemplate, ",", " ,\n ")
	other, err := ParseTemplate([]byte(spaced))
	if err != nil || other.Hash() != first.Hash() {
		t.Errorf("spacing changes the hash (%v)", err)
	}
	changed, err := ParseTemplate([]byte(strings.Replace(validTemplate, `"maxAttempts":2`, `"maxAttempts":3`, 1)))
	if err != nil || changed.Hash() == first.Hash() {
		t.Errorf("another policy has the same hash (%v)", err)
	}
}

// TestSharedDeliveryLeavesDoubt: when somebody else may have delivered an
// attempt too, that one delivery did nothing proves nothing.
func TestSharedDeliveryLeavesDoubt(t *testing.T) {
	t.Parallel()
	for _, outcome := range []Outcome{Retry, Deferred} {
		for heldSince, doubt := range map[int]bool{0: false, 1: true} {
			s := New("wf-01890000-0000-7000-8000-000000000001", loadTemplate(t, "order"))
			s, _, _ = Advance(s, Start{SagaID: "saga-1", Input: json.RawMessage(orderInput)})
			s, _, err := Advance(s, Answer{CommandID: "saga-1:1:RESERVE:execute", Attempt: 1, Outcome: outcome, HeldSince: heldSince})
			if err != nil || s.Steps[0].Doubt != doubt || s.Steps[0].Status != StepRetrying {
				t.Errorf("%s to who holds it since version %d: %+v, %v", outcome, heldSince, s.Steps[0], err)
			}
			s, _, err = Advance(s, CancelRequest{Reason: "R", InitiatedBy: "ADMIN"})
			if undone := s.Undos[0].Status == StepInProgress; err != nil || undone != doubt {
				t.Errorf("%s to who holds it since version %d: undo is %s, %v", outcome, heldSince, s.Undos[0].Status, err)
			}
		}
	}
}

// TestALongOutageLeavesAShortLog: a step that its participant's breaker keeps
// back asks ever more seldom, so that its log stays short, and never waits much
// longer than the outage lasted.
func TestALongOutageLeavesAShortLog(t *testing.T) {
	t.Parallel()
	for outage, most := range map[time.Duration]int{10 * time.Minute: 50, time.Hour: 80, 24 * time.Hour: 700} {
		begin := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
		now := begin
		s := New("wf-01890000-0000-7000-8000-000000000001", loadTemplate(t, "order"))
		play := func(c Command) []Event {
			t.Helper()
			after, events, err := Advance(s, c)
			if err != nil {
				t.Fatal(err)
			}
			s = after
			return events
		}
		at := func() Moment { return Moment{Now: now} }
		play(Start{Moment: at(), SagaID: "saga-1", Input: json.RawMessage(orderInput)})
		play(Answer{Moment: at(), CommandID: "saga-1:1:RESERVE:execute", Attempt: 1, Outcome: Succeeded})
		play(CancelRequest{Moment: at(), Reason: "R", InitiatedBy: "ADMIN", Force: true})
		grown := 0
		for now.Before(begin.Add(outage)) {
			grown += len(play(Answer{Moment: at(), CommandID: "saga-1:1:VOID:compensate", Outcome: Deferred, RetryAfter: 30 * time.Second}))
			now = s.WakeAt()
			grown += len(play(Tick{Moment: at()}))
		}
		if late := now.Sub(begin.Add(outage)); late > max(outage/10, 30*time.Second) || late > MaxDeferral {
			t.Errorf("after an outage of %v it waited %v more", outage, late)
		}
		if grown > most {
			t.Errorf("an outage of %v left %d events", outage, grown)
		}
	}
}
