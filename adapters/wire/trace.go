package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
)

const (
	spanBytes   = 8
	traceDigits = 32
	// parentLength is that of "00-", the trace, "-", the span, "-" and the flags.
	parentLength = 55
	sampled      = "01"
	// MaxTraceState bounds the tracestate that is kept with a workflow; of a
	// longer one nothing is.
	MaxTraceState = 512
)

// parentForm is the header of version 00, and of later ones that begin like it.
var parentForm = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)

// ParseTraceParent takes the trace and its parent span out of a W3C traceparent
// (https://www.w3.org/TR/trace-context/), as hexadecimal digits; false if it is none.
func ParseTraceParent(text string) (trace, span string, ok bool) {
	m := parentForm.FindStringSubmatch(text)
	if m == nil || strings.HasPrefix(text, "ff") || strings.HasPrefix(text, "00") && m[3] != "" ||
		strings.Trim(m[1], "0") == "" || strings.Trim(m[2], "0") == "" {
		return "", "", false
	}
	return m[1], m[2], true
}

// Span is the ID, as hexadecimal digits, of the span of what has a name: whoever
// says the name gets the same one.
func Span(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:spanBytes])
}

// TraceOf is the trace that everything a workflow does belongs to: that of the
// request which started it. Where that had none, all of the workflow is a trace
// whose ID is the workflow's UUID.
func TraceOf(t domain.Trace, workflowID string) domain.Trace {
	if len(t.Parent) == parentLength && len(t.State) <= MaxTraceState {
		return t
	}
	_, id, _ := strings.Cut(workflowID, "-")
	trace := strings.ToLower(strings.ReplaceAll(id, "-", ""))
	if _, err := hex.DecodeString(trace); err != nil || len(trace) != traceDigits || strings.Trim(trace, "0") == "" {
		sum := sha256.Sum256([]byte(workflowID))
		trace = hex.EncodeToString(sum[:traceDigits/2])
	}
	return domain.Trace{Parent: "00-" + trace + "-" + Span(workflowID) + "-" + sampled}
}

// Within is the context for what is done within a trace by the span of that
// name: the same name has the same span if it is done again.
func Within(t domain.Trace, span string) domain.Trace {
	const flags = parentLength - len(sampled)
	return domain.Trace{Parent: t.Parent[:3+traceDigits+1] + Span(span) + "-" + t.Parent[flags:], State: t.State}
}
