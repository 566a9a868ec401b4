package memory

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

func TestAuditLimit(t *testing.T) {
	t.Parallel()
	s := New(Config{AuditLimit: 3})
	for n := range 5 {
		if err := s.Commit(t.Context(), []ports.Change{contracttests.StartOf(n, contracttests.Audited(n))})[0]; err != nil {
			t.Fatal(err)
		}
	}
	page, err := s.ListAudit(t.Context(), ports.AuditQuery{Limit: 10})
	if err != nil || page.Total != 3 || page.Entries[2].ID != contracttests.AuditOf(2).ID {
		t.Errorf("of five entries %d are kept: %+v, %v", page.Total, page.Entries, err)
	}
}

// fixedClock stands where it is put.
type fixedClock struct{ now time.Time }

func (c *fixedClock) Now() time.Time { return c.now }

// TestWindowEndsToTheInstant uses a clock that stands still, as the contract cannot.
func TestWindowEndsToTheInstant(t *testing.T) {
	t.Parallel()
	clock := &fixedClock{now: contracttests.Epoch}
	s := New(Config{Clock: clock})
	for _, step := range []struct {
		after time.Duration
		want  ports.QuotaLease
	}{
		{0, ports.QuotaLease{Granted: 3, Remaining: 1, EndsIn: time.Minute}},
		{59 * time.Second, ports.QuotaLease{Granted: 1, Remaining: 0, EndsIn: time.Second}},
		{time.Second - 1, ports.QuotaLease{Granted: 0, Remaining: 0, EndsIn: 1}},
		{1, ports.QuotaLease{Granted: 3, Remaining: 1, EndsIn: time.Minute}},
		{time.Hour, ports.QuotaLease{Granted: 3, Remaining: 1, EndsIn: time.Minute}},
	} {
		clock.now = clock.now.Add(step.after)
		got, err := s.LeaseQuota(t.Context(), "k", 4, 3, time.Minute)
		if err != nil || got != step.want {
			t.Errorf("at %v leased %+v, want %+v, %v", clock.now.Sub(contracttests.Epoch), got, step.want, err)
		}
	}
}

func TestEndedWindowsAreForgotten(t *testing.T) {
	t.Parallel()
	clock := &fixedClock{now: contracttests.Epoch}
	s := New(Config{Clock: clock})
	const keys = 1000
	for n := range keys {
		clock.now = clock.now.Add(time.Second)
		if _, err := s.LeaseQuota(t.Context(), fmt.Sprint("key-", n), 4, 3, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.quotas); n > keys/4 {
		t.Errorf("%d windows are kept, of which 60 have not ended", n)
	}
}

func TestClosedStoreKeepsNothing(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	calls := map[string]func() error{
		"ListAudit":      func() error { _, err := s.ListAudit(ctx, ports.AuditQuery{Limit: 1}); return err },
		"LeaseQuota":     func() error { _, err := s.LeaseQuota(ctx, "k", 1, 1, time.Second); return err },
		"SettleSetting":  func() error { _, err := s.SettleSetting(ctx, "k", nil); return err },
		"CreateBatch":    func() error { return s.CreateBatch(ctx, ports.Batch{ID: "b"}, nil, nil) },
		"Batch":          func() error { _, err := s.Batch(ctx, "b"); return err },
		"ListBatches":    func() error { _, _, err := s.ListBatches(ctx, 0, 1); return err },
		"BatchItems":     func() error { _, err := s.BatchItems(ctx, "b", 0, 1); return err },
		"CancelBatch":    func() error { _, err := s.CancelBatch(ctx, "b", time.Now(), nil); return err },
		"ClaimBatch":     func() error { _, err := s.ClaimBatch(ctx, "r1"); return err },
		"NextItems":      func() error { _, err := s.NextItems(ctx, "b", "r1", 1); return err },
		"SettleItems":    func() error { return s.SettleItems(ctx, "b", "r1", nil) },
		"PurgeWorkflows": func() error { _, err := s.PurgeWorkflows(ctx, domain.Completed, time.Now(), 1); return err },
		"PurgeAudit":     func() error { _, err := s.PurgeAudit(ctx, time.Now(), 1); return err },
		"PurgeBatches":   func() error { _, err := s.PurgeBatches(ctx, time.Now(), 1); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s on a closed store: got error %v", name, err)
		}
	}
}
