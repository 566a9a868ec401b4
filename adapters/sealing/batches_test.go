package sealing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/sealing"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

const batchRequest = `{"request":{"reasonDetails":"canary"}}`

func batch(n int) ports.Batch {
	return ports.Batch{ID: fmt.Sprintf("bat-%d", n), Action: ports.BatchCancel, Request: []byte(batchRequest), CreatedAt: contracttests.Epoch}
}

func TestWhatABatchAsksCannotBeReadInTheStoreBehind(t *testing.T) {
	t.Parallel()
	behind := open(t)
	s := sealing.NewStore(behind, ring(t, sealing.NewKey()))
	b := batch(1)
	if err := s.CreateBatch(t.Context(), b, []string{"wf-1"}, nil); err != nil {
		t.Fatal(err)
	}
	if string(b.Request) != batchRequest {
		t.Errorf("the caller's batch became %s", b.Request)
	}
	stored, err := behind.Batch(t.Context(), b.ID)
	if err != nil || strings.Contains(string(stored.Request), "canary") || !strings.HasPrefix(string(stored.Request), `"sealed:`) {
		t.Errorf("stored is %s, %v", stored.Request, err)
	}
	if err := s.Renew(t.Context(), "r", time.Hour); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.ClaimBatch(t.Context(), "r")
	if err != nil || string(claimed.Request) != batchRequest {
		t.Errorf("claimed is %s, %v", claimed.Request, err)
	}
}

// TestABatchIsShownWithoutItsKey: one batch whose key is gone must not hide the others.
func TestABatchIsShownWithoutItsKey(t *testing.T) {
	t.Parallel()
	behind := open(t)
	for n := range 2 { // each with a key of its own
		if err := sealing.NewStore(behind, ring(t, sealing.NewKey())).CreateBatch(t.Context(), batch(n), []string{"wf-1"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	s := sealing.NewStore(behind, ring(t, sealing.NewKey()))
	list, total, err := s.ListBatches(t.Context(), 0, 10)
	if err != nil || total != 2 || len(list) != 2 {
		t.Fatalf("listed are %d of %d, %v", len(list), total, err)
	}
	for _, b := range list {
		if !strings.HasPrefix(string(b.Request), `"sealed:`) {
			t.Errorf("the request became %s", b.Request)
		}
	}
	// The ID of the batch is sealed with it.
	moved, err := behind.Batch(t.Context(), list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	moved.ID = "bat-moved"
	if err := behind.CreateBatch(t.Context(), moved, []string{"wf-1"}, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.CancelBatch(t.Context(), moved.ID, contracttests.Epoch, nil); err != nil || strings.Contains(string(got.Request), "canary") {
		t.Errorf("a request that was moved opened: %s, %v", got.Request, err)
	}
}
