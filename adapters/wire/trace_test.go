package wire_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/wire"
	"github.com/firstviscount/platform-coordination/domain"
)

const (
	given      = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	workflowID = "wf-660E8400-e29b-41d4-a716-446655440000"
)

func TestAWorkflowBelongsToTheTraceOfItsStart(t *testing.T) {
	t.Parallel()
	start := domain.Trace{Parent: given, State: "a=b"}
	if got := wire.TraceOf(start, workflowID); got != start {
		t.Errorf("the trace is %v", got)
	}
	first, again, other := wire.Within(start, "one"), wire.Within(start, "one"), wire.Within(start, "another")
	form := regexp.MustCompile(`^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$`)
	if !form.MatchString(first.Parent) || first != again || first == other || first.Parent == given || first.State != "a=b" {
		t.Errorf("%v, again %v, another %v", first, again, other)
	}
}

func TestWithoutATraceAWorkflowIsOne(t *testing.T) {
	t.Parallel()
	for _, start := range []domain.Trace{{}, {Parent: "00-x"}, {Parent: given, State: strings.Repeat("x", wire.MaxTraceState+1)}} {
		got := wire.TraceOf(start, workflowID)
		if !strings.HasPrefix(got.Parent, "00-660e8400e29b41d4a716446655440000-") || !strings.HasSuffix(got.Parent, "-01") || got.State != "" {
			t.Errorf("%v: %v", start, got)
		}
	}
	for _, odd := range []string{"", "wf-", "wf-7", "wf-00000000-0000-0000-0000-000000000000"} {
		if _, _, ok := wire.ParseTraceParent(wire.TraceOf(domain.Trace{}, odd).Parent); !ok {
			t.Errorf("%q: %v", odd, wire.TraceOf(domain.Trace{}, odd))
		}
	}
}

func TestParseTraceParent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		given:                    true,
		"01" + given[2:] + "-xy": true, // a later version may have more
		"":                       false,
		given + "-xy":            false,
		"ff" + given[2:]:         false,
		strings.ToUpper(given):   false,
		"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01":                 false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-" + strings.Repeat("0", 16) + "-01": false,
	} {
		trace, span, ok := wire.ParseTraceParent(text)
		if ok != want || ok && (trace != "4bf92f3577b34da6a3ce929d0e0e4736" || span != "00f067aa0ba902b7") {
			t.Errorf("%q: %q, %q, %t", text, trace, span, ok)
		}
	}
}
