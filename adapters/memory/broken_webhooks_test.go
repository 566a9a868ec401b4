package memory_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// brokenWebhooks are stores that keep subscriptions badly.
func brokenWebhooks() []brokenStore {
	const save, disable = "SaveWebhook: ", "DisableWebhook: "
	return []brokenStore{
		{fault: "a subscription loses its description", promise: save + "creates a subscription with every member", breaks: saves(func(w *ports.Webhook) { w.Description = "" })},
		{fault: "the receiver stays where it was", promise: save + "replaces the one whose Version is one less", breaks: saving(keepsURL)},
		{fault: "any version replaces", promise: save + "ErrConflict if the stored version is another", breaks: saving(savesAnyVersion)},
		{fault: "replacing nothing creates", promise: save + "ErrNotFound if a later one is not there", breaks: saving(savesMissing)},
		{fault: "any number of subscriptions", promise: save + "ErrTooManyWebhooks when there are MaxWebhooks", breaks: saving(savesTooMany)},
		{fault: "a person says since when it fails", promise: save + "FailingSince is kept as it is stored", breaks: failsAsTold},
		{fault: "a revived subscription goes on failing", promise: save + "FailingSince is cleared when the stored one was inactive and w is active", breaks: failsForEver},
		{fault: "an inactive subscription is told the rest", promise: save + "a subscription that is made inactive fails its deliveries that are not settled", breaks: saving(savesAndRecovers)},
		{fault: "concurrent replacements overwrite", promise: save + "of concurrent replacements of one version exactly one is saved", breaks: saving(savesAnyVersion)},
		{fault: "subscriptions counted before they are made", promise: save + "concurrent ones create no more than MaxWebhooks", breaks: saving(savesTooMany)},
		{fault: "deliveries outlive their subscription", promise: "DeleteWebhook: removes a subscription with its deliveries", breaks: hidesDeleted(nil)},
		{fault: "nothing is deleted well", promise: "DeleteWebhook: ErrNotFound", breaks: func(f *faulty) {
			f.deleteWebhook = func(ctx context.Context, id string, audit *ports.AuditEntry) error {
				return unless(ports.ErrNotFound, f.Store.DeleteWebhook(ctx, id, audit))
			}
		}},
		{fault: "a missing subscription is empty", promise: "Webhook: ErrNotFound", breaks: func(f *faulty) {
			f.oneWebhook = func(ctx context.Context, id string) (ports.Webhook, error) {
				w, err := f.Store.Webhook(ctx, id)
				return w, unless(ports.ErrNotFound, err)
			}
		}},
		{fault: "subscriptions listed newest first", promise: "Webhooks: are all subscriptions, oldest first", breaks: func(f *faulty) {
			f.listWebhooks = func(ctx context.Context) ([]ports.Webhook, error) {
				list, err := f.Store.Webhooks(ctx)
				slices.Reverse(list)
				return list, err
			}
		}},
		{fault: "disabled for no reason", promise: disable + "makes an active subscription inactive because of what its receiver did", breaks: disables(func(ctx context.Context, f *faulty, id, _ string, at time.Time) (bool, error) {
			return f.Store.DisableWebhook(ctx, id, "", at)
		})},
		{fault: "a disabled subscription is told the rest", promise: disable + "fails its deliveries that are not settled", breaks: disables(func(ctx context.Context, f *faulty, id, reason string, at time.Time) (bool, error) {
			was, err := f.Store.DisableWebhook(ctx, id, reason, at)
			_, _ = f.Store.RecoverDeliveries(ctx, id, time.Time{}, nil, nil)
			return was, err
		})},
		{fault: "everything was active", promise: disable + "reports false if it was inactive or is gone", breaks: disables(func(ctx context.Context, f *faulty, id, reason string, at time.Time) (bool, error) {
			_, err := f.Store.DisableWebhook(ctx, id, reason, at)
			return true, err
		})},
		{fault: "a subscription follows the caller's slices", promise: "WebhookStore: what the caller alters afterwards does not change the store", breaks: sharesWebhooks},
	}
}

// brokenNotices are stores that tell the wrong subscriptions, or the wrong things.
func brokenNotices() []brokenStore {
	const prefix = "Notices: "
	return []brokenStore{
		{fault: "all subscriptions want all", promise: prefix + "become deliveries of the subscriptions that want them", breaks: saves(func(w *ports.Webhook) {
			w.Events = append(slices.Clone(w.Events), "workflow.started")
		})},
		{fault: "all is told of the change's time", promise: prefix + "a delivery is PENDING and tells the event, its sequence and its time", breaks: altered(func(c *ports.Change) {
			c.Notices = slices.Clone(c.Notices)
			for i := range c.Notices {
				c.Notices[i].At = c.Row.UpdatedAt
			}
		})},
		{fault: "a refused change tells", promise: prefix + "a change that is refused makes no delivery", breaks: leaves(ports.ErrIdempotencyKeyTaken, onlyNotices)},
		{fault: "inactive subscriptions are told", promise: prefix + "a subscription that is inactive, or made later, has no delivery", breaks: saves(func(w *ports.Webhook) { w.Active = true })},
		{fault: "told again, delivered again", promise: prefix + "one event has one delivery of a subscription", breaks: eachChange(tellsAgain)},
		{fault: "notices of a batch go with the next change", promise: prefix + "those of a batch are kept apart", breaks: func(f *faulty) {
			f.commit = func(ctx context.Context, batch []ports.Change) []error {
				shifted := slices.Clone(batch)
				for i := range shifted {
					shifted[i].Notices = batch[(i+1)%len(batch)].Notices
				}
				return f.Store.Commit(ctx, shifted)
			}
		}},
		{fault: "what is told during a removal stays", promise: prefix + "a subscription that is removed meanwhile leaves no deliveries", breaks: hidesDeleted(func(ctx context.Context, f *faulty, id string) {
			for told := 0; told == 0 && ctx.Err() == nil; {
				page, _ := f.Store.ListDeliveries(ctx, ports.DeliveryQuery{WebhookID: id, Limit: 1})
				told = page.Total
			}
		})},
	}
}

// unless is err, or nil if it is the given one.
func unless(ignored, err error) error {
	if errors.Is(err, ignored) {
		return nil
	}
	return err
}

// saving saves subscriptions by a faulty way.
func saving(save func(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error) func(*faulty) {
	return func(f *faulty) {
		f.saveWebhook = func(ctx context.Context, w ports.Webhook, audit *ports.AuditEntry) error {
			return save(ctx, f.Store, w, audit)
		}
	}
}

// saves alters what is saved.
func saves(alter func(w *ports.Webhook)) func(*faulty) {
	return saving(func(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
		alter(&w)
		return s.SaveWebhook(ctx, w, audit)
	})
}

func keepsURL(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
	if before, err := s.Webhook(ctx, w.ID); err == nil {
		w.URL = before.URL
	}
	return s.SaveWebhook(ctx, w, audit)
}

// savesAnyVersion replaces whatever is there.
func savesAnyVersion(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
	err := s.SaveWebhook(ctx, w, audit)
	for errors.Is(err, ports.ErrConflict) {
		before, _ := s.Webhook(ctx, w.ID)
		w.Version = before.Version + 1
		err = s.SaveWebhook(ctx, w, audit)
	}
	return err
}

func savesMissing(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
	err := s.SaveWebhook(ctx, w, audit)
	if errors.Is(err, ports.ErrNotFound) {
		w.Version = 1
		return s.SaveWebhook(ctx, w, audit)
	}
	return err
}

// savesTooMany forgets a subscription where there are too many.
func savesTooMany(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
	return unless(ports.ErrTooManyWebhooks, s.SaveWebhook(ctx, w, audit))
}

// savesAndRecovers asks again for what an inactive subscription gives up.
func savesAndRecovers(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
	err := s.SaveWebhook(ctx, w, audit)
	if err == nil && !w.Active {
		_, err = s.RecoverDeliveries(ctx, w.ID, time.Time{}, nil, nil)
	}
	return err
}

// shows alters a subscription that is read.
func shows(f *faulty, alter func(w *ports.Webhook)) {
	f.oneWebhook = func(ctx context.Context, id string) (ports.Webhook, error) {
		w, err := f.Store.Webhook(ctx, id)
		alter(&w)
		return w, err
	}
}

// failsAsTold takes the caller's word for FailingSince.
func failsAsTold(f *faulty) {
	told := map[string]time.Time{}
	saves(func(w *ports.Webhook) { told[w.ID] = w.FailingSince })(f)
	shows(f, func(w *ports.Webhook) { w.FailingSince = told[w.ID] })
}

// failsForEver never forgets since when a subscription failed.
func failsForEver(f *faulty) {
	since := map[string]time.Time{}
	saving(func(ctx context.Context, s ports.Store, w ports.Webhook, audit *ports.AuditEntry) error {
		if before, err := s.Webhook(ctx, w.ID); err == nil && !before.FailingSince.IsZero() {
			since[w.ID] = before.FailingSince
		}
		return s.SaveWebhook(ctx, w, audit)
	})(f)
	shows(f, func(w *ports.Webhook) {
		if w.FailingSince.IsZero() {
			w.FailingSince = since[w.ID]
		}
	})
}

// hidesDeleted makes a removed subscription inactive and no longer shows it;
// first it may await something.
func hidesDeleted(first func(ctx context.Context, f *faulty, id string)) func(*faulty) {
	return func(f *faulty) {
		deleted := map[string]bool{}
		f.deleteWebhook = func(ctx context.Context, id string, _ *ports.AuditEntry) error {
			if first != nil {
				first(ctx, f, id)
			}
			deleted[id] = true
			_, err := f.Store.DisableWebhook(ctx, id, "deleted", contracttests.Epoch)
			return err
		}
		f.oneWebhook = func(ctx context.Context, id string) (ports.Webhook, error) {
			if deleted[id] {
				return ports.Webhook{}, ports.ErrNotFound
			}
			return f.Store.Webhook(ctx, id)
		}
	}
}

func disables(disable func(ctx context.Context, f *faulty, id, reason string, at time.Time) (bool, error)) func(*faulty) {
	return func(f *faulty) {
		f.disableWebhook = func(ctx context.Context, id, reason string, at time.Time) (bool, error) {
			return disable(ctx, f, id, reason, at)
		}
	}
}

// sharesWebhooks gives back what was saved, slices and all.
func sharesWebhooks(f *faulty) {
	saved := map[string]ports.Webhook{}
	saves(func(w *ports.Webhook) { saved[w.ID] = *w })(f)
	shows(f, func(w *ports.Webhook) { *w = saved[w.ID] })
}

func onlyNotices(c ports.Change) ports.Change {
	part := contracttests.StartOf(ghost)
	part.Notices = c.Notices
	return part
}

// tellsAgain asks again for a delivery of an event that is not the change's last.
func tellsAgain(ctx context.Context, s ports.Store, c ports.Change) error {
	err := commitOne(ctx, s, c)
	hooks, _ := s.Webhooks(ctx)
	for _, n := range c.Notices {
		for _, w := range hooks {
			if n.Sequence < c.Row.Version {
				_ = s.Redeliver(ctx, ports.DeliveryKey{WebhookID: w.ID, WorkflowID: c.Row.WorkflowID, Sequence: n.Sequence}, nil, nil)
			}
		}
	}
	return err
}
