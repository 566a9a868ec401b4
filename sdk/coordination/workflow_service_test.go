package coordination_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// pages is a transport that serves seven workflows, or events, in pages of
// three: by cursor, or by number where there are no cursors.
type pages struct {
	cursors  bool
	endless  bool // every page leads to itself
	failAt   int  // request that fails, from 1; 0 for none
	requests []string
}

func (p *pages) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	p.requests = append(p.requests, query.Encode())
	if p.failAt == len(p.requests) {
		return (&script{replies: []reply{internal}}).RoundTrip(request)
	}
	const size, total = 3, 7
	var page, first int
	_, _ = fmt.Sscan(query.Get("page"), &page)
	first = page * size
	if cursor := query.Get("cursor"); cursor != "" {
		_, _ = fmt.Sscanf(cursor, "from-%d", &first)
		page = 0 // a cursor has no page number
	}
	elements, cursor := "", ""
	for i := first; i < min(first+size, total); i++ {
		elements += fmt.Sprintf(`,{"workflowId":"wf-%d","sequence":%d,"progress":0}`, i, i)
	}
	switch {
	case p.endless:
		cursor = "from-0"
	case p.cursors && first+size < total:
		cursor = fmt.Sprintf("from-%d", first+size)
	}
	body := fmt.Sprintf(`{"workflows":[%[1]s],"events":[%[1]s],"pagination":{"page":%[2]d,"size":3,"totalElements":7,"totalPages":3,"nextCursor":%[3]q}}`,
		elements[1:], page, cursor)
	return (&script{replies: []reply{{status: 200, body: body}}}).RoundTrip(request)
}

func (p *pages) client(t *testing.T) *coordination.Client {
	return newClient(t, "http://coordination.test", coordination.WithHTTPClient(&http.Client{Transport: p}))
}

func TestIterationCoversAllPages(t *testing.T) {
	t.Parallel()
	for _, cursors := range []bool{true, false} {
		transport := &pages{cursors: cursors}
		client, want := transport.client(t), []string{"wf-0", "wf-1", "wf-2", "wf-3", "wf-4", "wf-5", "wf-6"}
		var active, all, events []string
		for workflow, err := range client.Workflows.AllActive(t.Context(), coordination.ActiveQuery{Size: 3, Type: "T"}) {
			active = appendOr(t, active, workflow.WorkflowID, err)
		}
		for workflow, err := range client.Workflows.All(t.Context(), coordination.ListQuery{Size: 3, BusinessKey: "K"}) {
			all = appendOr(t, all, workflow.WorkflowID, err)
		}
		for event, err := range client.Workflows.AllEvents(t.Context(), workflowID, coordination.EventsQuery{Size: 3}) {
			events = appendOr(t, events, event.WorkflowID, err)
		}
		if !slices.Equal(active, want) || !slices.Equal(all, want) || !slices.Equal(events, want) {
			t.Errorf("got %v, %v, %v", active, all, events)
		}
		requests := []string{
			"size=3&type=T", "page=1&size=3&type=T", "page=2&size=3&type=T",
			"businessKey=K&size=3", "businessKey=K&page=1&size=3", "businessKey=K&page=2&size=3",
			"size=3", "page=1&size=3", "page=2&size=3",
		}
		if cursors {
			requests = []string{
				"size=3&type=T", "cursor=from-3&size=3&type=T", "cursor=from-6&size=3&type=T",
				"businessKey=K&size=3", "businessKey=K&cursor=from-3&size=3", "businessKey=K&cursor=from-6&size=3",
				"size=3", "cursor=from-3&size=3", "cursor=from-6&size=3",
			}
		}
		if !slices.Equal(transport.requests, requests) {
			t.Errorf("asked %q, want %q", transport.requests, requests)
		}
	}
}

func appendOr(t *testing.T, list []string, element string, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return append(list, element)
}

func TestIterationStartsWhereTheQuerySays(t *testing.T) {
	t.Parallel()
	for _, query := range []coordination.ListQuery{{Page: 2}, {Cursor: "from-6"}} {
		var got []string
		for workflow, err := range (&pages{}).client(t).Workflows.All(t.Context(), query) {
			got = appendOr(t, got, workflow.WorkflowID, err)
			if len(got) > 10 {
				break
			}
		}
		if !slices.Equal(got, []string{"wf-6"}) {
			t.Errorf("%+v gave %v", query, got)
		}
	}
}

func TestIterationStops(t *testing.T) {
	t.Parallel()
	transport := &pages{cursors: true}
	for range transport.client(t).Workflows.All(t.Context(), coordination.ListQuery{}) {
		break
	}
	if len(transport.requests) != 1 {
		t.Errorf("asked for %d pages after the caller had stopped", len(transport.requests))
	}

	for name, transport := range map[string]*pages{"failure": {cursors: true, failAt: 2}, "endless": {endless: true}} {
		var last error
		count := 0
		for _, last = range transport.client(t).Workflows.All(t.Context(), coordination.ListQuery{}) {
			if count++; count > 20 {
				break
			}
		}
		if last == nil || count > 20 {
			t.Errorf("%s: ended after %d workflows with %v", name, count, last)
		}
	}
}
