// Package audit makes the entries that say who changed what.
package audit

import (
	"context"
	"encoding/json"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Entry is the entry of a change of target, on behalf of whom ctx is; nil if on
// nobody's. Before and after are structs of plain members, nil where there is
// nothing: they are shown to whoever reads the audit.
func Entry(ctx context.Context, uuid func() string, at time.Time, target string, before, after any) *ports.AuditEntry {
	actor, known := ports.ActorOf(ctx)
	if !known {
		return nil
	}
	return &ports.AuditEntry{ID: "aud-" + uuid(), At: at, Subject: actor.Subject, Role: actor.Role, Action: actor.Operation, Target: target,
		Reason: actor.Reason, RequestID: actor.RequestID, TraceID: actor.TraceID, Before: object(before), After: object(after)}
}

// object is a JSON object, nil for nil.
func object(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil { // of plain members, and of JSON
		panic("audit: an entry does not marshal: " + err.Error())
	}
	return data
}
