package e2e_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/postgres/pgtest"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
)

// identicalStarts is how many clients start the same order at the same moment.
const identicalStarts = 20

func TestIdenticalStartsAreOneWorkflow(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, store string) {
		identical(t, harness.Serve(t, harness.Options{Store: store}))
	})
	t.Run("two replicas", func(t *testing.T) {
		t.Parallel()
		o := harness.Options{Store: pgtest.Migrated(t)}
		identical(t, harness.Serve(t, o), harness.Serve(t, o))
	})
}

func identical(t *testing.T, replicas ...*harness.Coordinator) {
	body := reference(t, "order-request")
	start := func(i int, body string) *harness.Response {
		r, err := replicas[i%len(replicas)].Try(t, "POST", "/workflows/order/start", body, "X-Idempotency-Key", "the-same-key")
		if err != nil {
			t.Error(err)
			return &harness.Response{}
		}
		return r
	}
	answers := make([]*harness.Response, identicalStarts)
	together := make(chan struct{})
	var clients sync.WaitGroup
	for i := range answers {
		clients.Go(func() {
			<-together
			answers[i] = start(i, body)
		})
	}
	close(together)
	clients.Wait()

	replayed := 0
	for i, r := range answers {
		if r.Status != 201 || !bytes.Equal(r.Body, answers[0].Body) {
			t.Errorf("answer %d is %d %s, the first %d %s", i, r.Status, r.Body, answers[0].Status, answers[0].Body)
		}
		if r.Header.Get("Idempotency-Replayed") == "true" {
			replayed++
		}
	}
	if replayed != identicalStarts-1 {
		t.Errorf("%d of %d answers are replayed", replayed, identicalStarts)
	}
	onlyOne(t, replicas[0])
	// The same JSON value, written differently, is the same request; another is not.
	spaced := strings.ReplaceAll(body, "\n", "\n ")
	if r := start(1, spaced); r.Status != 201 || !bytes.Equal(r.Body, answers[0].Body) {
		t.Errorf("the same value is answered %d %s", r.Status, r.Body)
	}
	r := start(1, strings.Replace(body, "winter-sale", "summer-sale", 1)).Is(409)
	if code, reason := r.Text("error", "code"), r.Text("error", "details", "reason"); code != "WORKFLOW_ALREADY_EXISTS" || reason != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("another body with the key is answered %s", r.Body)
	}
}

func onlyOne(t *testing.T, c *harness.Coordinator) {
	t.Helper()
	pagination := c.Get(t, "/workflows").Is(200).Tree()["pagination"].(map[string]any)
	if total := pagination["totalElements"]; total != json.Number("1") {
		t.Errorf("there are %v workflows", total)
	}
}
