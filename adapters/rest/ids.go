package rest

import (
	"strings"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// Prefixes of the IDs that this service makes.
const (
	workflowPrefix = "wf-"
	sagaPrefix     = "saga-"
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
