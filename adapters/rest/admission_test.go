package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// slowEngine answers lists and callbacks when it is let go.
type slowEngine struct {
	*engine
	let chan struct{}
}

func (e *slowEngine) List(ctx context.Context, q ports.ListQuery) (ports.ListPage, error) {
	<-e.let
	return e.engine.List(ctx, q)
}

func (e *slowEngine) Answer(context.Context, string, domain.Answer) error {
	<-e.let
	return ports.ErrUnknownToken
}

// jam is a server whose lists do not end.
type jam struct {
	*server
	let  chan struct{}
	done sync.WaitGroup
	told overloads
}

// overloads counts the refusals that observers hear of.
type overloads struct{ atomic.Int64 }

func (o *overloads) observe(r *http.Request) (context.Context, func(rest.Served)) {
	return r.Context(), func(s rest.Served) {
		if s.Overload {
			o.Add(1)
		}
	}
}

func newJam(t *testing.T) *jam {
	t.Helper()
	e := &slowEngine{newEngine(t), make(chan struct{})}
	j := &jam{let: e.let}
	handler, err := rest.New(rest.Deps{Workflows: e, Answers: e, Queries: e, Webhooks: newSubscriptions(e.engine), Batches: newBatches(), Verify: verify, Clock: e, Observe: j.told.observe})
	if err != nil {
		t.Fatal(err)
	}
	j.server = &server{e.engine, nil, nil, handler}
	return j
}

// hang sends n lists that are not answered yet.
func (j *jam) hang(t *testing.T, n int) {
	t.Helper()
	for range n {
		j.done.Go(func() { j.get(t, "/workflows").is(200) })
	}
	synctest.Wait()
}

// release answers everything.
func (j *jam) release() {
	close(j.let)
	j.done.Wait()
}

func (j *jam) refused(t *testing.T) {
	t.Helper()
	begin := time.Now()
	got := j.get(t, "/workflow-templates").is(503)
	if got.code(coordination.ErrServiceUnavailable); got.header.Get("Retry-After") == "" {
		t.Error("a refusal without Retry-After")
	}
	if took := time.Since(begin); took != 0 {
		t.Errorf("the refusal waited for %v", took)
	}
}

func TestABurstPassesAndALastingOneIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJam(t)
		j.hang(t, 2*rest.StandingInFlight)
		j.get(t, "/workflow-templates").is(200)
		time.Sleep(rest.BurstTime)
		j.refused(t)
		if n := j.told.Load(); n != 1 {
			t.Errorf("observers hear of %d refusals", n)
		}
		for path, status := range map[string]int{"/livez": 200, "/readyz": 200, "/docs": 200, "/api/v1/health": 200} {
			j.call(t, http.MethodGet, path, "").is(status)
		}
		j.post(t, "/callbacks/cbt_x/heartbeat", "").is(404)
		j.release()
		j.get(t, "/workflow-templates").is(200)
		if n := j.inFlightAllowed(t); n != rest.OverloadInFlight {
			t.Errorf("right after the overload %d requests are worked on at once", n)
		}
	})
}

// inFlightAllowed jams the server again, up to a refusal.
func (j *jam) inFlightAllowed(t *testing.T) int {
	t.Helper()
	var all sync.WaitGroup
	e := make(chan int, 4*rest.StandingInFlight)
	stop := make(chan struct{})
	for range cap(e) {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/workflows/start", &blocked{stop})
			r.Header.Set("Authorization", "Bearer service")
			w := newRecorder()
			j.ServeHTTP(w, r)
			e <- w.Code
		})
	}
	synctest.Wait()
	admitted := cap(e) - len(e)
	close(stop)
	all.Wait()
	return admitted
}

// blocked is a body that does not come.
type blocked struct{ stop chan struct{} }

func (b *blocked) Read([]byte) (int, error) {
	<-b.stop
	return 0, context.Canceled
}

func TestAfterACalmBurstsAreAllowedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJam(t)
		j.hang(t, rest.StandingInFlight+1)
		time.Sleep(rest.BurstTime)
		j.refused(t)
		j.release()
		time.Sleep(rest.CalmTime)
		if n := j.inFlightAllowed(t); n != 4*rest.StandingInFlight {
			t.Errorf("after the calm %d requests are worked on at once", n)
		}
	})
}

func TestNeverMoreThanMaxInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJam(t)
		j.hang(t, rest.MaxInFlight)
		j.refused(t)
		j.release()
	})
}

func TestFewSlowRequestsAreNoOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJam(t)
		j.hang(t, rest.StandingInFlight)
		time.Sleep(10 * rest.BurstTime)
		j.get(t, "/workflow-templates").is(200)
		j.release()
	})
}

// Callers that hold callbacks up take no place from those of the API.
func TestCallbacksAreCountedByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJam(t)
		for range rest.MaxInFlight {
			j.done.Go(func() { j.post(t, "/callbacks/cbt_x", `{"outcome":"SUCCEEDED"}`).is(404) })
		}
		synctest.Wait()
		j.post(t, "/callbacks/cbt_x", `{"outcome":"SUCCEEDED"}`).is(503)
		j.get(t, "/workflow-templates").is(200)
		j.release()
	})
}

func TestWhoWaitsOrStreamsTakesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		id := startExample(t, s)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range rest.StandingInFlight {
			all.Go(func() {
				r := httptest.NewRequest(http.MethodGet, "/api/v1/workflows/"+id+"/stream", nil).WithContext(ctx)
				r.Header.Set("Authorization", "Bearer service")
				s.ServeHTTP(newRecorder(), r)
			})
			all.Go(func() {
				s.post(t, "/workflows/"+id+"/cancel", cancelIt, "Prefer", "wait=10").is(202)
			})
		}
		time.Sleep(2 * rest.BurstTime)
		s.get(t, "/workflows").is(200)
		stop()
		all.Wait()
	})
}
