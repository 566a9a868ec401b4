package coordination_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// job is a server with a batch that ends after a while.
type job struct {
	begun  time.Time
	takes  time.Duration
	looks  []time.Time
	bodies []string
	keys   []string
}

func (j *job) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		j.bodies, j.keys = append(j.bodies, r.URL.Path+" "+string(body)), append(j.keys, r.Header.Get("X-Idempotency-Key"))
		_, _ = fmt.Fprint(w, `{"batchId":"bat-1","status":"RUNNING","dryRun":true,"total":2}`)
		return
	}
	j.looks = append(j.looks, time.Now())
	status := coordination.BatchRunning
	if time.Since(j.begun) >= j.takes {
		status = coordination.BatchCompleted
	}
	_, _ = fmt.Fprintf(w, `{"batchId":"bat-1","status":%q}`, status)
}

func TestWaitForABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &job{begun: time.Now(), takes: time.Hour}
		batch, err := onPipes(t, server).Batches.Wait(t.Context(), "bat-1")
		if err != nil || batch.Status != coordination.BatchCompleted {
			t.Errorf("%+v, %v", batch, err)
		}
		if late := time.Since(server.begun) - server.takes; late > 10*time.Second {
			t.Errorf("told of it after %s", late)
		}
		if n := len(server.looks); n > 400 {
			t.Errorf("looked %d times in an hour", n)
		}
	})
}

func TestWaitForABatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		server := &job{begun: time.Now(), takes: time.Hour}
		if batch, err := onPipes(t, server).Batches.Wait(ctx, "bat-1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", batch, err)
		}
	})
}

func TestABatchIsOnlyMadeByCreate(t *testing.T) {
	t.Parallel()
	server := &job{}
	client := onPipes(t, server)
	for _, dry := range []bool{false, true} {
		request := coordination.BatchRequest{Action: coordination.BatchRetry, Reason: "R", Filter: &coordination.BatchFilter{Parked: true}, DryRun: dry}
		if _, err := client.Batches.Create(t.Context(), request, coordination.WithIdempotencyKey("k")); err != nil {
			t.Fatal(err)
		}
		if plan, err := client.Batches.DryRun(t.Context(), request); err != nil || plan.Total != 2 {
			t.Fatal(plan, err)
		}
	}
	if _, err := client.Batches.Cancel(t.Context(), "bat-1"); err != nil {
		t.Fatal(err)
	}
	const body = `/batches {"action":"RETRY","filter":{"parked":true},"reason":"R","dryRun":`
	for i, want := range []string{body + "false}", body + "true}", body + "false}", body + "true}", "/batches/bat-1/cancel "} {
		if !strings.HasSuffix(server.bodies[i], want) || (server.keys[i] != "") != (i%2 == 0) {
			t.Errorf("request %d was %s with the key %q, want %s", i, server.bodies[i], server.keys[i], want)
		}
	}
}
