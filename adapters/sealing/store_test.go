package sealing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/memory"
	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

// TestTheContractHoldsForASealedStore: whoever uses it sees no difference.
func TestTheContractHoldsForASealedStore(t *testing.T) {
	t.Parallel()
	keys := ring(t, sealing.NewKey())
	contracttests.Store(t, func(t *testing.T) ports.Store { return sealing.NewStore(open(t), keys) })
}

func open(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New(memory.Config{})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func commit(t *testing.T, s ports.Store, c ports.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), []ports.Change{c})[0]; err != nil {
		t.Fatal(err)
	}
}

// change starts a workflow with a secret in everything that is sealed.
func change(n int, edits ...contracttests.Edit) ports.Change {
	c := contracttests.StartOf(n, append([]contracttests.Edit{contracttests.Keyed(fmt.Sprint("scope-", n))}, edits...)...)
	c.Events = []byte(`[{"in":{"token":"tok_canary"}}]`)
	c.Idempotency.Fingerprint = "tok_canary"
	return c
}

func TestNothingCanBeReadInTheStoreBehind(t *testing.T) {
	t.Parallel()
	behind, c := open(t), change(1)
	given := fmt.Sprintf("%s %+v", c.Events, *c.Idempotency)
	s := sealing.NewStore(behind, ring(t, sealing.NewKey()))
	commit(t, s, c)
	if now := fmt.Sprintf("%s %+v", c.Events, *c.Idempotency); now != given {
		t.Errorf("the caller's change became %s", now)
	}
	rec, err := behind.Load(t.Context(), c.Row.WorkflowID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := behind.Idempotency(t.Context(), "scope-1")
	if err != nil {
		t.Fatal(err)
	}
	if dump := fmt.Sprintf("%s %+v", rec.Events, key); strings.Contains(dump, "tok_canary") {
		t.Errorf("stored: %s", dump)
	}
	rec, err = s.Load(t.Context(), c.Row.WorkflowID)
	if err != nil || !bytes.Equal(rec.Events[0], c.Events) {
		t.Errorf("loaded %s, %v", rec.Events, err)
	}
	if key, err = s.Idempotency(t.Context(), "scope-1"); err != nil || key != *c.Idempotency {
		t.Errorf("loaded %+v, %v", key, err)
	}
}

func TestWhatWasStoredBeforeThereWasAKeyStaysReadable(t *testing.T) {
	t.Parallel()
	behind, c := open(t), change(1, contracttests.DueNow())
	commit(t, behind, c)
	s := sealing.NewStore(behind, ring(t, sealing.NewKey()))
	key, err := s.Idempotency(t.Context(), "scope-1")
	if err != nil || key != *c.Idempotency {
		t.Errorf("loaded %+v, %v", key, err)
	}
	records, err := s.Claim(t.Context(), "replica", 1)
	if err != nil || len(records) != 1 || !bytes.Equal(records[0].Events[0], c.Events) {
		t.Fatalf("claimed %v, %v", records, err)
	}
}

func TestWithoutItsKeyAWorkflowIsClaimedButNotOpened(t *testing.T) {
	t.Parallel()
	behind, c := open(t), change(1, contracttests.DueNow())
	commit(t, sealing.NewStore(behind, ring(t, sealing.NewKey())), c)
	s := sealing.NewStore(behind, ring(t, sealing.NewKey()))
	other := contracttests.StartOf(2, contracttests.DueNow())
	commit(t, s, other)
	if _, err := s.Load(t.Context(), c.Row.WorkflowID); !errors.Is(err, ports.ErrSealed) || !strings.Contains(err.Error(), "not among the keys") {
		t.Errorf("loaded: %v", err)
	}
	if _, err := s.Idempotency(t.Context(), "scope-1"); !errors.Is(err, ports.ErrSealed) {
		t.Errorf("loaded: %v", err)
	}
	records, err := s.Claim(t.Context(), "replica", 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("claimed %v, %v", records, err)
	}
	for _, rec := range records {
		opened := bytes.Equal(rec.Events[0], other.Events)
		if opened != (rec.Row.WorkflowID == other.Row.WorkflowID) || bytes.Contains(rec.Events[0], []byte("tok_canary")) {
			t.Errorf("claimed %s with %s", rec.Row.WorkflowID, rec.Events)
		}
	}
}

// refuses seals nothing that has a word in it.
type refuses struct {
	ports.Sealer
	word string
}

func (r refuses) Seal(plain, about []byte) ([]byte, error) {
	if bytes.Contains(plain, []byte(r.word)) {
		return nil, errors.New("refused")
	}
	return r.Sealer.Seal(plain, about)
}

func TestWhatCannotBeSealedIsNotWritten(t *testing.T) {
	t.Parallel()
	s := sealing.NewStore(open(t), refuses{ring(t, sealing.NewKey()), "tok_canary"})
	bad, good := change(1), contracttests.StartOf(2)
	errs := s.Commit(context.Background(), []ports.Change{bad, good, change(3)})
	if errs[0] == nil || errs[1] != nil || errs[2] == nil {
		t.Errorf("committed: %v", errs)
	}
	if _, err := s.Load(t.Context(), bad.Row.WorkflowID); !errors.Is(err, ports.ErrNotFound) {
		t.Errorf("the change that was not sealed: %v", err)
	}
	if _, err := s.Load(t.Context(), good.Row.WorkflowID); err != nil {
		t.Errorf("the other change: %v", err)
	}
}
