package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// hostile answers of participants, and how a workflow ends that gets them. What
// is no answer may have happened, so it is undone; what the wiring must have
// caused waits for a person.
var hostile = map[string]struct {
	answer http.HandlerFunc
	end    coordination.Status
}{
	"HUGE": {func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"outcome":"SUCCEEDED","result":{"x":"`)
		pour(w, 50<<20)
		_, _ = io.WriteString(w, `"}}`)
	}, coordination.StatusFailed},
	"HUGE_DECLARED": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(50<<20))
		pour(w, 50<<20)
	}, coordination.StatusFailed},
	"ENDLESS":         {func(w http.ResponseWriter, _ *http.Request) { pour(w, 1<<50) }, coordination.StatusFailed},
	"SILENT":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, coordination.StatusFailed},
	"HALF":            {says(200, `{"outcome":"SUCCEE`), coordination.StatusFailed},
	"GARBAGE":         {says(200, "\x00\xff\xfe<html>"), coordination.StatusFailed},
	"LIST":            {says(200, `["SUCCEEDED"]`), coordination.StatusFailed},
	"DEEP":            {says(200, `{"result":{"a":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}}`), coordination.StatusFailed},
	"DEEP_UNCLOSED":   {says(200, `{"result":`+strings.Repeat(`{"a":`, 10000)), coordination.StatusFailed},
	"DUPLICATE":       {says(200, `{"outcome":"SUCCEEDED","outcome":"REJECTED"}`), coordination.StatusFailed},
	"ODD_OUTCOME":     {says(200, `{"outcome":"PERHAPS"}`), coordination.StatusFailed},
	"WRONG_TYPES":     {says(200, `{"outcome":1,"result":"x","error":[]}`), coordination.StatusFailed},
	"MANY_MEMBERS":    {says(200, `{"result":{`+members(100_000)+`}}`), coordination.StatusFailed},
	"SERVER_ERROR":    {says(500, "<html>Internal Server Error</html>"), coordination.StatusFailed},
	"ODD_STATUS":      {says(599, ""), coordination.StatusFailed},
	"HANG_UP":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, coordination.StatusFailed},
	"LONG_HEADER":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Long", strings.Repeat("x", 1<<20)) }, coordination.StatusFailed},
	"RETRY_FOR_EVER":  {says(503, `{"outcome":"RETRY","retryAfter":"PT0.01S"}`), coordination.StatusFailed},
	"REDIRECT":        {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, coordination.StatusParked},
	"NOT_FOUND":       {says(404, "<html>nothing here</html>"), coordination.StatusParked},
	"LONG_ERROR":      {says(422, `{"outcome":"REJECTED","error":{"code":"`+strings.Repeat("X", 60_000)+`","message":"`+strings.Repeat("y", 60_000)+`"}}`), coordination.StatusFailed},
	"HOSTILE_RESULT":  {says(200, `{"outcome":"SUCCEEDED","result":{"orderId":"{{input.secret}}","__proto__":{"x":1},"a":"<script>\u0000"}}`), coordination.StatusCompleted},
	"ODD_BUT_CORRECT": {says(200, ""), coordination.StatusCompleted},
}

// pour writes up to so many bytes, until nobody reads any more.
func pour(w io.Writer, bytes int64) {
	block := []byte(strings.Repeat("x", 64<<10))
	for written := int64(0); written < bytes; written += int64(len(block)) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func members(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `"m%d":%d,`, i, i)
	}
	return strings.TrimSuffix(text.String(), ",")
}

// hostileTemplate asks a friendly service, then a hostile one.
const hostileTemplate = `
templateId: tmpl-%[2]s-v1
name: Hostile participant
type: HOSTILE_%[1]s
version: "1.0"
steps:
  - {name: PREPARE, service: inventory-service, action: prepare}
  - {name: ASK, service: hostile-%[2]s, action: ask, timeout: PT1S, retryPolicy: {maxAttempts: 2, initialInterval: PT0.05S, backoffMultiplier: 1}}
compensationSteps:
  - {name: UNDO_PREPARE, compensates: PREPARE, service: inventory-service, action: undo_prepare}
  - {name: UNDO_ASK, compensates: ASK, service: inventory-service, action: undo_ask}
`

// hostileAtOnce is how many workflows get the same answer at the same time. Two
// attempts of each are fewer failures than open the breaker of a service.
const hostileAtOnce = 8

func TestHostileParticipants(t *testing.T) {
	t.Parallel()
	onEveryStore(t, hostileParticipants)
}

func hostileParticipants(t *testing.T, store string) {
	c := serveHostile(t, store)
	client := c.Client(t)
	t.Run("all", func(t *testing.T) {
		for name, h := range hostile {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for range hostileAtOnce {
					started, err := client.Workflows.Start(t.Context(), coordination.StartRequest{
						Type: "HOSTILE_" + name, BusinessKey: order("").OrderID, Input: json.RawMessage(`{}`)})
					if err != nil {
						t.Fatal(err)
					}
					defer func() {
						if got := wait(t, client, started.WorkflowID); got.Status != h.end {
							t.Errorf("the workflow is %s, want %s: %v", got.Status, h.end, got.Events)
						}
						looks(t, c, started)
					}()
				}
			})
		}
	})
	unharmed(t, c)
}

// serveHostile starts a coordinator with a template and a participant for each
// hostile answer.
func serveHostile(t *testing.T, store string) *harness.Coordinator {
	t.Helper()
	templates := t.TempDir()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	file := "participants:\n"
	for _, service := range harness.Services {
		file += "  " + service + ": {transport: simulated}\n"
	}
	for name, h := range hostile {
		lower := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		text := fmt.Sprintf(hostileTemplate, name, lower)
		if err := os.WriteFile(filepath.Join(templates, lower+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		mux.HandleFunc("POST /"+lower+"/ask", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does a server see that a client has gone
			h.answer(w, r)
		})
		file += fmt.Sprintf("  hostile-%s: {transport: http, url: %s/%s}\n", lower, server.URL, lower)
	}
	return harness.Serve(t, harness.Options{
		Store: store, Participants: harness.WriteFile(t, "participants.yaml", file), Templates: templates})
}

// looks checks that whatever a participant has said can be shown.
func looks(t *testing.T, c *harness.Coordinator, started *coordination.StartedWorkflow) {
	t.Helper()
	const most = 256 << 10
	for _, path := range []string{"/workflows/" + started.WorkflowID + "/status", "/sagas/" + started.Saga.SagaID, "/workflows/" + started.WorkflowID + "/events"} {
		if r := c.Get(t, path).Is(200); len(r.Body) > most || !json.Valid(r.Body) {
			t.Errorf("%s has %d bytes, valid JSON: %v", path, len(r.Body), json.Valid(r.Body))
		}
	}
}
