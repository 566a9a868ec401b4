package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/auth"
	"github.com/firstviscount/platform-coordination/app/e2e/harness"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// shortDrain is how long a coordinator may take that waits for a participant
// which takes much longer.
const shortDrain = 2 * time.Second

// TestDrainLetsWaitersGo ends a coordinator while a start waits for its end and
// a stream is open: both are answered as if the wait had ended, nothing is cut
// off, and the order goes on when a coordinator is there again.
func TestDrainLetsWaitersGo(t *testing.T) {
	t.Parallel()
	c := harness.Serve(t, harness.Options{Store: stores["sqlite"](t), Drain: shortDrain})
	o := order("tok_visa_4242")
	o.Metadata = json.RawMessage(`{"simulate":{"PAYMENT_PROCESSING":"SLOW:PT5S"}}`)
	body, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		r   *harness.Response
		err error
	}
	waiting := make(chan answer, 1)
	go func() {
		r, err := c.Try(t, http.MethodPost, "/workflows/order/start", string(body), "Prefer", "wait=60")
		waiting <- answer{r, err}
	}()
	workflow := onlyWorkflow(t, c)
	streamed := openStream(t, c, workflow)

	begun := time.Now()
	c.Terminate()
	if code := c.Wait(t, shortDrain+exitMargin); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("drained in %s", time.Since(begun).Round(time.Millisecond))
	if a := <-waiting; a.err != nil || a.r.Status != http.StatusCreated || a.r.Text("workflowId") != workflow {
		t.Errorf("the start that waited was answered %+v, %v", a.r, a.err)
	}
	if err := <-streamed; err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	c.Restart(t)
	is(t, wait(t, c.Client(t), workflow), coordination.StatusCompleted, coordination.SagaCompleted)
}

// onlyWorkflow waits for the one workflow that there will be.
func onlyWorkflow(t *testing.T, c *harness.Coordinator) (id string) {
	t.Helper()
	harness.Eventually(t, endTimeout, "a workflow at its payment", func() (string, bool) {
		r := c.Get(t, "/workflows?step=PAYMENT_PROCESSING").Is(http.StatusOK)
		list, _ := r.Tree()["workflows"].([]any)
		if len(list) == 1 {
			id, _ = list[0].(map[string]any)["workflowId"].(string)
		}
		return string(r.Body), id != ""
	})
	return id
}

// openStream reads a stream in the background; what comes is how it ended.
func openStream(t *testing.T, c *harness.Coordinator, workflowID string) <-chan error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.API("/workflows/"+workflowID+"/stream"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(t, auth.RoleExternal))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(io.Discard, response.Body)
		ended <- err
	}()
	return ended
}
