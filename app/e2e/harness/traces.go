package harness

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/telemetry/otlptest"
)

// Traced is the environment of a coordinator that exports its traces to a
// receiver, soon after they are made.
func Traced(r *otlptest.Receiver) []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL(), "OTEL_METRICS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=50"}
}

// TraceOf waits until the trace that a workflow belongs to has a span of that
// name, and returns it.
func TraceOf(tb testing.TB, r *otlptest.Receiver, workflowID, last string) Trace {
	tb.Helper()
	var found Trace
	Eventually(tb, StartTimeout, "the span "+last+" of "+workflowID, func() (string, bool) {
		all := r.Spans()
		for i := range all {
			if all[i].Name == last && all[i].Attributes["coordination.workflow.id"] == workflowID {
				found = r.Trace(all[i].TraceID)
				return "", true
			}
		}
		return fmt.Sprintf("%d spans", len(all)), false
	})
	return found
}

// Trace is the spans of one trace, in the order of their start.
type Trace []otlptest.Span

// Names are the names of the spans of a kind and how often each occurs.
func (t Trace) Names(kind string) map[string]int {
	names := map[string]int{}
	for i := range t {
		if t[i].Kind == kind {
			names[t[i].Name]++
		}
	}
	return names
}

// Named are the spans of that name.
func (t Trace) Named(name string) Trace {
	return slices.DeleteFunc(slices.Clone(t), func(s otlptest.Span) bool { return s.Name != name })
}

// Events are the events of the log that the commits of a workflow wrote, in
// the order of the log.
func (t Trace) Events(workflowID string) []string {
	commits := t.Named("commit")
	version := func(s otlptest.Span) int64 { v, _ := s.Attributes["coordination.version"].(int64); return v }
	slices.SortFunc(commits, func(a, b otlptest.Span) int { return int(version(a) - version(b)) })
	var events []string
	for i := range commits {
		if commits[i].Attributes["coordination.workflow.id"] == workflowID {
			names, _ := commits[i].Attributes["coordination.events"].([]string)
			events = append(events, names...)
		}
	}
	return events
}

// Above are the names of the spans that one is below, from the root on.
func (t Trace) Above(s otlptest.Span) []string {
	var path []string
	for range t {
		i := slices.IndexFunc(t, func(o otlptest.Span) bool { return o.SpanID == s.Parent })
		if i < 0 {
			break
		}
		s = t[i]
		path = append([]string{s.Name}, path...)
	}
	return path
}

// Faults are what is wrong with the form of a trace: a span that is there twice
// or below none of the others, unless it is below a caller's span.
func (t Trace) Faults(caller string) []string {
	var faults []string
	seen := map[string]bool{}
	for i := range t {
		if seen[t[i].SpanID] {
			faults = append(faults, t[i].Name+" is there twice")
		}
		seen[t[i].SpanID] = true
	}
	roots := 0
	for i := range t {
		switch {
		case t[i].Parent == caller:
			roots++
		case !seen[t[i].Parent]:
			faults = append(faults, t[i].Name+" is below a span that is not there")
		}
		if t[i].End.Before(t[i].Start) {
			faults = append(faults, t[i].Name+" ends before it begins")
		}
	}
	if roots != 1 {
		faults = append(faults, fmt.Sprintf("%d roots", roots))
	}
	return faults
}

// String is the trace as a tree.
func (t Trace) String() string {
	var text strings.Builder
	for i := range t {
		fmt.Fprintf(&text, "\n%s%s (%s) %v", strings.Repeat("  ", len(t.Above(t[i]))), t[i].Name, t[i].Kind, t[i].Attributes)
	}
	return text.String()
}
