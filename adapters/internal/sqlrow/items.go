package sqlrow

import (
	"errors"
	"fmt"

	"github.com/firstviscount/platform-coordination/ports"
)

// Errors of a batch of workflows that breaks the rules of ports.Batches; nothing was written.
var (
	ErrTooManyItems = fmt.Errorf("a batch is for at most %d workflows", ports.MaxBatchItems)
	ErrItemTwice    = errors.New("a batch names a workflow twice")
)

// CheckItems reports whether the workflows of a batch break the rules.
func CheckItems(workflowIDs []string) error {
	if len(workflowIDs) > ports.MaxBatchItems {
		return ErrTooManyItems
	}
	seen := make(map[string]struct{}, len(workflowIDs))
	for _, id := range workflowIDs {
		seen[id] = struct{}{}
	}
	if len(seen) < len(workflowIDs) {
		return ErrItemTwice
	}
	return nil
}

// CheckSetting reports whether a setting is too large.
func CheckSetting(name string, value []byte) error {
	if len(value) > ports.MaxSetting {
		return fmt.Errorf("setting %q has %d bytes, at most %d are kept", name, len(value), ports.MaxSetting)
	}
	return nil
}
