// Package wire says what the API and the message bus say alike: how an event
// of the log reads, and how the trace of a workflow is named.
package wire

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Recorded is an event of the log with its number, as callers see it.
func Recorded(t *domain.Template, workflowID string, sequence int, e *domain.Event) coordination.RecordedEvent {
	return coordination.RecordedEvent{WorkflowID: workflowID, Sequence: int64(sequence), Timestamp: coordination.At(e.At),
		Event: coordination.EventName(e.Type), Step: e.Step, Details: Details(t, e)}
}

// Details says for people what an event is about. It is made from the
// event and the template only, so the same event always reads the same.
func Details(t *domain.Template, e *domain.Event) string {
	step := readable(e.Step)
	switch e.Type {
	case domain.WorkflowStarted:
		return sentence(t.Name) + " initiated"
	case domain.StepStarted, domain.UndoStarted:
		if e.Attempt > 1 {
			return step + " sent again, attempt " + strconv.Itoa(e.Attempt)
		}
		return step + " initiated" + withProvider(t, e.Step)
	case domain.StepAccepted, domain.UndoAccepted:
		return step + " accepted, the answer comes later"
	case domain.StepExtended, domain.UndoExtended:
		return step + " got more time, until " + coordination.At(e.Until).String()
	case domain.StepDeferred, domain.UndoDeferred:
		return step + " held back, its service is shut off until " + coordination.At(e.Until).String()
	case domain.StepRetryPlanned, domain.UndoRetryPlanned:
		return step + " attempt " + strconv.Itoa(e.Attempt) + " failed" + because(e.Error) + "; next attempt at " + coordination.At(e.Until).String()
	case domain.StepSucceeded, domain.UndoSucceeded:
		return step + " completed successfully"
	case domain.StepGaveUp, domain.UndoGaveUp:
		return step + " failed" + because(e.Error)
	case domain.StepPassedOver:
		return step + " is not needed and was skipped"
	case domain.StepSucceededLate:
		return step + " succeeded after it had been given up"
	}
	return workflowDetails(t, e)
}

// workflowDetails is Details of what concerns the workflow as a whole.
func workflowDetails(t *domain.Template, e *domain.Event) string {
	name := sentence(t.Name)
	switch e.Type {
	case domain.CancelRequested:
		return "Cancellation requested: " + e.Reason
	case domain.CompensateRequested:
		return "Compensation requested: " + e.Reason
	case domain.CompensationStarted:
		return "Compensation started: " + e.Reason
	case domain.Compensated:
		return "Everything that was done has been undone"
	case domain.WorkflowParked:
		return "Waiting for a person: " + e.Reason + because(e.Error)
	case domain.WorkflowResumed:
		return "Resumed from " + readable(e.Step)
	case domain.WorkflowCompleted:
		return name + " completed"
	case domain.WorkflowFailed:
		return name + " failed" + because(e.Error)
	case domain.WorkflowCancelled:
		return name + " cancelled"
	}
	return ""
}

func because(e *domain.StepError) string {
	if e == nil {
		return ""
	}
	if e.Message == "" {
		return ": " + e.Code
	}
	return ": " + e.Code + ": " + e.Message
}

// readable turns PAYMENT_PROCESSING into Payment processing.
func readable(step string) string {
	return sentence(strings.ReplaceAll(step, "_", " "))
}

// sentence writes all of a title in lower case but its first letter.
func sentence(title string) string {
	if title == "" {
		return ""
	}
	return strings.ToUpper(title[:1]) + strings.ToLower(title[1:])
}

// withProvider names the provider that the template says a step uses.
func withProvider(t *domain.Template, step string) string {
	for i := range t.Steps {
		var provider string
		if t.Steps[i].Name == step && json.Unmarshal(t.Steps[i].Attributes["provider"], &provider) == nil && provider != "" {
			return " with " + strings.ToUpper(provider[:1]) + provider[1:]
		}
	}
	return ""
}
