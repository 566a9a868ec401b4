package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/telemetry/otlptest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// withWebhooks waits until these are the webhooks that a trace says were told,
// and returns it with them: they are told after the workflow's answer.
func withWebhooks(t *testing.T, receiver *otlptest.Receiver, trace harness.Trace, want map[string]int) harness.Trace {
	t.Helper()
	harness.Eventually(t, deliveryTimeout, fmt.Sprint("the webhooks ", want), func() (string, bool) {
		trace = harness.Trace(receiver.Trace(trace[0].TraceID))
		told := map[string]int{}
		for i := range trace {
			if strings.HasPrefix(trace[i].Name, webhookSpan) && !trace[i].Failed {
				told[trace[i].Name]++
			}
		}
		return trace.String(), maps.Equal(told, want)
	})
	return trace
}

// areWebhooks checks that whatever a receiver took is a span below the run, one
// that the receiver can go on from, and that no span tells where it went.
func areWebhooks(t *testing.T, trace harness.Trace, hookID string, taken []harness.Received) {
	t.Helper()
	told := 0
	for i := range trace {
		span := trace[i]
		if !strings.HasPrefix(span.Name, webhookSpan) || span.Failed {
			continue
		}
		told++
		if above := trace.Above(span); !slices.Equal(above, []string{startRoute, workflowSpan}) || span.Kind != "CLIENT" {
			t.Errorf("%s, a %s, is below %v", span.Name, span.Kind, above)
		}
		if a := span.Attributes; a["coordination.webhook.id"] != hookID || webhookSpan+fmt.Sprint(a["coordination.event"]) != span.Name || a["server.address"] != "127.0.0.1" {
			t.Errorf("%s tells %v", span.Name, a)
		}
		parent := "00-" + span.TraceID + "-" + span.SpanID + "-01"
		if !slices.ContainsFunc(taken, func(r harness.Received) bool {
			return r.Header.Get("Traceparent") == parent && webhookSpan+string(r.Event) == span.Name
		}) {
			t.Errorf("no %s was taken with %s", span.Name, parent)
		}
		if text := fmt.Sprint(span.Attributes); strings.Contains(text, "/hook") {
			t.Errorf("%s tells the path of its URL: %s", span.Name, text)
		}
	}
	if told == 0 || told > len(taken) {
		t.Errorf("%d webhooks were told, %d taken", told, len(taken))
	}
}
