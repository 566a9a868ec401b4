package rest

import (
	"strconv"
	"strings"

	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Prefixes of the IDs that this service makes.
const (
	workflowPrefix = "wf-"
	sagaPrefix     = "saga-"
	webhookPrefix  = "whk-"
	deliveryPrefix = "dlv-"
	batchPrefix    = "bat-"
)

const uuidLayout = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// canonicalID is an ID of a path with its prefix and in lower case. A text that
// is no such ID names nothing, which is the error.
func canonicalID(text, prefix string, code coordination.Code, what string) (string, error) {
	id := strings.ToLower(strings.TrimPrefix(text, prefix))
	if !isUUID(id) {
		return "", newError(code, "There is no such "+what, nil)
	}
	return prefix + id, nil
}

func workflowID(text string) (string, error) {
	return canonicalID(text, workflowPrefix, coordination.ErrWorkflowNotFound, "workflow")
}

func sagaID(text string) (string, error) {
	return canonicalID(text, sagaPrefix, coordination.ErrSagaNotFound, "saga")
}

func webhookID(text string) (string, error) {
	return canonicalID(text, webhookPrefix, coordination.ErrWebhookNotFound, "webhook")
}

// deliveryID names a delivery within its webhook: the workflow and the number
// of the event.
func deliveryID(key ports.DeliveryKey) string {
	return deliveryPrefix + strings.TrimPrefix(key.WorkflowID, workflowPrefix) + "-" + strconv.Itoa(key.Sequence)
}

// maxSequenceDigits are those of an event's number that can be one.
const maxSequenceDigits = 9

// deliveryKey is what deliveryID names.
func deliveryKey(webhook, text string) (ports.DeliveryKey, error) {
	uuid, digits := "", ""
	if rest := strings.TrimPrefix(text, deliveryPrefix); len(rest) > len(uuidLayout) && rest[len(uuidLayout)] == '-' {
		uuid, digits = rest[:len(uuidLayout)], rest[len(uuidLayout)+1:]
	}
	workflow, err := canonicalID(uuid, workflowPrefix, coordination.ErrDeliveryNotFound, "delivery")
	if err != nil {
		return ports.DeliveryKey{}, err
	}
	sequence, err := strconv.Atoi(digits)
	if err != nil || sequence < 1 || len(digits) > maxSequenceDigits || digits != strconv.Itoa(sequence) {
		return ports.DeliveryKey{}, deliveryNotFound()
	}
	return ports.DeliveryKey{WebhookID: webhook, WorkflowID: workflow, Sequence: sequence}, nil
}

func deliveryNotFound() *apiError {
	return newError(coordination.ErrDeliveryNotFound, "There is no such delivery", nil)
}

func isUUID(text string) bool {
	if len(text) != len(uuidLayout) {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if dash := uuidLayout[i] == '-'; dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
