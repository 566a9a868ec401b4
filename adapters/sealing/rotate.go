package sealing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// resealTries is how often a webhook is read again that somebody changes meanwhile.
const resealTries = 10

// Resealed counts secrets of webhooks.
type Resealed struct {
	Again int // sealed with the newest key now
	Were  int // sealed with the newest key before
}

// Reseal seals the secrets of all webhooks with the newest key of a ring that
// are sealed with an older one. Entry makes the audit entry of a webhook that
// is changed. It may be called again after an error, and while others work.
func Reseal(ctx context.Context, store ports.WebhookStore, r *Ring, entry func(webhookID string) *ports.AuditEntry) (Resealed, error) {
	var sum Resealed
	webhooks, err := store.Webhooks(ctx)
	if err != nil {
		return sum, err
	}
	for _, w := range webhooks {
		n, err := resealWebhook(ctx, store, r, w, entry)
		if errors.Is(err, ports.ErrNotFound) { // deleted meanwhile
			continue
		}
		if err != nil {
			return sum, fmt.Errorf("webhook %s: %w", w.ID, err)
		}
		sum.Again += n
		sum.Were += len(w.Secrets) - n
	}
	return sum, nil
}

func resealWebhook(ctx context.Context, store ports.WebhookStore, r *Ring, w ports.Webhook, entry func(string) *ports.AuditEntry) (int, error) {
	for try := 1; ; try++ {
		secrets, n, err := resealed(r, w)
		if err != nil || n == 0 {
			return 0, err
		}
		w.Secrets = secrets
		w.Version++
		err = store.SaveWebhook(ctx, w, entry(w.ID))
		if !errors.Is(err, ports.ErrConflict) || try == resealTries {
			return n, err
		}
		if w, err = store.Webhook(ctx, w.ID); err != nil {
			return 0, err
		}
	}
}

// resealed are the secrets of a webhook, and how many of them changed.
func resealed(r *Ring, w ports.Webhook) (secrets []ports.SealedSecret, n int, err error) {
	for _, s := range w.Secrets {
		if id, _ := KeyID(s.Sealed); id != r.ids[0] {
			plain, err := r.Open(s.Sealed, []byte(w.ID))
			if err != nil {
				return nil, 0, err
			}
			if s.Sealed, err = r.Seal(plain, []byte(w.ID)); err != nil {
				return nil, 0, err
			}
			n++
		}
		secrets = append(secrets, s)
	}
	return secrets, n, nil
}

// Unencrypted stands for the key of what was stored before there was one.
const Unencrypted = ""

// Needed is what still needs a key other than the newest.
type Needed struct {
	Workflows   int       // exact up to ports.MaxCount
	LastStarted time.Time // of these workflows
	Batches     int       // that are RUNNING
}

// surveyEnd is after how many workflows in a row that need no older key a
// survey ends: workflows seal with the key that was the newest when they ran.
const surveyEnd = 1_000

const surveyPage = 100

// Survey tells, by key ID, which workflows, and which batches that are not done,
// are sealed with an older key than the newest of a ring. They are never written
// again: they need the key until they are removed, or done. The store is the one
// behind the sealed one.
func Survey(ctx context.Context, behind ports.Store, r *Ring) (map[string]Needed, error) {
	needed := map[string]Needed{}
	if err := surveyBatches(ctx, behind, r, needed); err != nil {
		return nil, err
	}
	q := ports.ListQuery{Sort: ports.SortStartedAt, Ascending: true, Limit: surveyPage, Now: time.Now()}
	for clean, n := 0, 0; ; {
		page, err := behind.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Rows {
			older, err := olderKeys(ctx, behind, r, page.Rows[i].WorkflowID)
			if err != nil {
				return nil, err
			}
			if clean++; len(older) > 0 {
				clean, n = 0, n+1
			}
			for id := range older {
				n := needed[id]
				n.Workflows, n.LastStarted = n.Workflows+1, page.Rows[i].StartedAt
				needed[id] = n
			}
		}
		if page.NextCursor == "" || clean >= surveyEnd || n >= ports.MaxCount {
			return needed, nil
		}
		q.Cursor = page.NextCursor
	}
}

func surveyBatches(ctx context.Context, behind ports.Batches, r *Ring, needed map[string]Needed) error {
	for offset, total := 0, 1; offset < total; offset += surveyPage {
		batches, all, err := behind.ListBatches(ctx, offset, surveyPage)
		if err != nil {
			return err
		}
		total = all
		for i := range batches {
			sealed, _ := sealedRequest(&batches[i])
			if id, ok := KeyID(sealed); ok && id != r.ids[0] && batches[i].Status == ports.BatchRunning {
				n := needed[id]
				n.Batches++
				needed[id] = n
			}
		}
	}
	return nil
}

// olderKeys are the IDs of the keys that the events of a workflow need, but for the newest.
func olderKeys(ctx context.Context, behind ports.Loader, r *Ring, workflowID string) (map[string]bool, error) {
	rec, err := behind.Load(ctx, workflowID)
	if errors.Is(err, ports.ErrNotFound) { // removed meanwhile
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	older := map[string]bool{}
	for _, events := range rec.Events {
		id, sealed := KeyID(events)
		switch {
		case !sealed:
			older[Unencrypted] = true
		case id != r.ids[0]:
			older[id] = true
		}
	}
	return older, nil
}
