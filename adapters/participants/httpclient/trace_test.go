package httpclient_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/firstviscount/platform-coordination/domain"
)

func TestEveryCommandCarriesATraceContext(t *testing.T) {
	t.Parallel()
	headers := make(chan string, 1)
	c := client(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header.Get("traceparent") }))
	send := func(workflowID string, attempt int) string {
		cmd := command()
		cmd.WorkflowID, cmd.Attempt = workflowID, attempt
		outcome(t, c.Send(t.Context(), cmd), domain.Succeeded, "")
		return <-headers
	}
	const id = "wf-660E8400-e29b-41d4-a716-446655440000"
	form := regexp.MustCompile(`^00-660e8400e29b41d4a716446655440000-[0-9a-f]{16}-01$`)
	first, again, second := send(id, 1), send(id, 1), send(id, 2)
	if !form.MatchString(first) || first != again {
		t.Errorf("%q, then %q", first, again)
	}
	if !form.MatchString(second) || second == first {
		t.Errorf("another attempt: %q after %q", second, first)
	}
	anyTrace := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`)
	for _, other := range []string{"", "wf-", "wf-7", "wf-00000000-0000-0000-0000-000000000000"} {
		if got := send(other, 1); !anyTrace.MatchString(got) || got[3:35] == "00000000000000000000000000000000" {
			t.Errorf("%q: %q", other, got)
		}
	}
}
