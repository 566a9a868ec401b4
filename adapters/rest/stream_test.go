package rest

import (
	"bytes"
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// quietWorkflow never changes.
type quietWorkflow struct{ ports.Queries }

func (quietWorkflow) Watch(ctx context.Context, _ string, _ int) (ports.Snapshot, error) {
	<-ctx.Done()
	return ports.Snapshot{}, ctx.Err()
}

func TestQuietStreamIsKeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(Deps{Queries: quietWorkflow{}})
		w := httptest.NewRecorder()
		ctx, stop := context.WithTimeout(t.Context(), 4*KeepAlive+time.Second)
		defer stop()
		s.follow(ctx, &eventStream{x: &exchange{ResponseWriter: w}, id: "wf-1"}, ports.Snapshot{})
		if n := bytes.Count(w.Body.Bytes(), []byte(": ping\n\n")); n != 4 || !w.Flushed {
			t.Errorf("%d pings, flushed %t", n, w.Flushed)
		}
	})
}
