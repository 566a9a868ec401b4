package engine_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestSubscribersAreToldByTheCommit of each event by its number, its time and
// its name, and whoever sends is woken.
func TestSubscribersAreToldByTheCommit(t *testing.T) {
	t.Parallel()
	store := memory.New(memory.Config{})
	hook := ports.Webhook{ID: contracttests.WebhookID(1), URL: "https://a.example.com/", Active: true, Version: 1, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	for _, name := range domain.Announcements(false) {
		hook.Events = append(hook.Events, string(name))
	}
	slices.Sort(hook.Events)
	if err := store.SaveWebhook(t.Context(), hook, nil); err != nil {
		t.Fatal(err)
	}
	var woken atomic.Int32
	refuses := &script{answer: func(cmd domain.Dispatch) domain.Answer {
		if cmd.Step == "S3" {
			return domain.Answer{Outcome: domain.Rejected, Error: &domain.StepError{Code: "NO"}}
		}
		return ok(cmd)
	}}
	e := newEngine(t, store, refuses, func(_ *engine.Config, d *engine.Deps) { d.Noticed = func() { woken.Add(1) } })
	snap := await(t, e, start(t, e, "told").State.WorkflowID)

	var want, got []string
	for i := range snap.Events {
		if name := snap.Events[i].Announced(snap.State.Template); name != "" {
			want = append(want, fmt.Sprint(i+1, name, snap.Events[i].At.UTC()))
		}
	}
	page, err := store.ListDeliveries(t.Context(), ports.DeliveryQuery{WebhookID: hook.ID, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range page.Deliveries {
		got = append(got, fmt.Sprint(d.Sequence, domain.Announcement(d.Event), d.CreatedAt.UTC()))
	}
	slices.Reverse(got)
	if len(want) != 7 || !slices.Equal(got, want) {
		t.Errorf("told  %q\nwant %q", got, want)
	}
	if woken.Load() == 0 {
		t.Error("nobody was woken")
	}
}
