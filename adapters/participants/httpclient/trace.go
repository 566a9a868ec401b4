package httpclient

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
)

const (
	headerTrace = "Traceparent"
	spanBytes   = 8
	traceDigits = 32
)

// traceparent is the W3C trace context of a command where nobody injects
// another: all commands of a workflow are one trace, whose ID is the workflow's
// UUID, so that a participant's traces are found by it; every attempt is a span
// of its own, and the same again if it is sent twice.
func traceparent(cmd *domain.Dispatch) string {
	_, id, _ := strings.Cut(cmd.WorkflowID, "-")
	trace := strings.ReplaceAll(id, "-", "")
	if raw, err := hex.DecodeString(trace); err != nil || len(trace) != traceDigits || strings.Trim(trace, "0") == "" {
		sum := sha256.Sum256([]byte(cmd.WorkflowID))
		trace = hex.EncodeToString(sum[:traceDigits/2])
	} else {
		trace = hex.EncodeToString(raw) // in lower case
	}
	span := sha256.Sum256([]byte(cmd.CommandID + "#" + strconv.Itoa(cmd.Attempt)))
	return "00-" + trace + "-" + hex.EncodeToString(span[:spanBytes]) + "-01"
}
