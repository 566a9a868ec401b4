package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// payload is what is sent of an event, without the seal, which needs a secret.
type payload struct {
	id    string
	body  []byte
	trace domain.Trace // of the workflow
	run   int          // of the workflow, when the event happened
}

// errNoEvent: the log has no event of that number, or one that is not told.
var errNoEvent = errors.New("the log has no such event to tell of")

// render makes the payload of an event. It follows from the log up to the event
// and from the template alone, so that it is the same, byte for byte, in every
// attempt, in every process, and whatever happened since.
func render(snap *ports.Snapshot, sequence int) (payload, error) {
	if sequence < 1 || sequence > len(snap.Events) {
		return payload{}, errNoEvent
	}
	t, e := snap.State.Template, &snap.Events[sequence-1]
	name := e.Announced(t)
	if name == "" {
		return payload{}, errNoEvent
	}
	s := domain.Fold(domain.New(snap.State.WorkflowID, t), snap.Events[:sequence])
	p := coordination.WebhookPayload{ID: wire.EventID(s.WorkflowID, sequence, e.At), Timestamp: coordination.At(e.At),
		Event: coordination.WebhookEvent(name), Data: describe(&s, e, name)}
	p.Data.Sequence = int64(sequence)
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		return payload{}, fmt.Errorf("payload of event %d: %w", sequence, err)
	}
	return payload{p.ID, bytes.TrimRight(body.Bytes(), "\n"), wire.TraceOf(s.Trace, s.WorkflowID), s.Run}, nil
}

// describe tells of an event that has just led to state s.
func describe(s *domain.State, e *domain.Event, name domain.Announcement) coordination.WebhookData {
	d := coordination.WebhookData{WorkflowID: s.WorkflowID, WorkflowType: s.Template.Type, SagaID: s.SagaID,
		Status: string(s.Status), Reason: code(e.Reason), Error: failure(e.Error)}
	nameBusiness(&d, s)
	at := coordination.At(e.At)
	switch name {
	case domain.AnnounceStarted:
		d.StartedAt = at
	case domain.AnnounceStepCompleted:
		d.Step, d.CompletedAt, d.Status = e.Step, at, string(domain.StepCompleted)
		d.Result, d.NextStep = shareable(s.Redactor().JSON(e.Result)), s.NextStep()
	case domain.AnnounceStepFailed:
		d.Step, d.CompletedAt, d.Status = e.Step, at, stepStatus(s, e.Step)
	case domain.AnnounceParked:
		d.Step, d.Until = e.Step, coordination.At(e.Until)
	case domain.AnnounceCompensating:
		d.Step, d.StartedAt, d.Status = e.Step, at, string(domain.SagaCompensating)
	case domain.AnnounceCompensationFailed:
		d.Step, d.CompletedAt, d.Status = e.Step, at, string(domain.SagaCompensationFailed)
	case domain.AnnounceCompensated:
		d.StartedAt, d.CompletedAt, d.Status = coordination.At(s.Compensation.StartedAt), at, string(domain.SagaCompensated)
		d.Reason = code(s.Compensation.Reason)
	default: // the ends
		d.Step, d.StartedAt, d.CompletedAt = e.Step, coordination.At(s.StartedAt), at
	}
	return d
}

// stepStatus is FAILED, or UNKNOWN of a step that may have had its effect.
func stepStatus(s *domain.State, step string) string {
	for i := range s.Steps {
		if s.Template.Steps[i].Name == step {
			return string(s.Steps[i].Status)
		}
	}
	return string(domain.StepFailed)
}

// nameBusiness shows the business object under the name its template gives it.
func nameBusiness(d *coordination.WebhookData, s *domain.State) {
	switch s.Template.BusinessKey {
	case "orderId":
		d.OrderID = s.BusinessKey
	case "returnId":
		d.ReturnID = s.BusinessKey
	case "replenishmentId":
		d.ReplenishmentID = s.BusinessKey
	default:
		d.BusinessKey = s.BusinessKey
	}
}

// codes are what is told of reasons and errors that callers and participants
// give: their texts are for people, and may be about people.
var codes = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,127}$`)

// codeOther stands for a code that is none.
const codeOther = "OTHER"

func code(text string) string {
	if text == "" || codes.MatchString(text) {
		return text
	}
	return codeOther
}

func failure(e *domain.StepError) *coordination.WebhookStepError {
	if e == nil {
		return nil
	}
	if e.Code == "" {
		return &coordination.WebhookStepError{Code: codeOther}
	}
	return &coordination.WebhookStepError{Code: code(e.Code)}
}
