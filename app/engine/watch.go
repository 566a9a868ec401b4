package engine

import (
	"context"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// watchPoll is how often a watched workflow is read in case another replica moves it.
const watchPoll = 500 * time.Millisecond

// watchers wakes those who wait for a workflow that this replica moves.
type watchers struct {
	mu      sync.Mutex
	waiting map[string][]*watcher
}

type watcher struct {
	after int  // wake when the version is above this
	ended bool // wake only when the workflow has ended
	wake  chan struct{}
}

func (w *watchers) add(id string, one *watcher) (remove func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string][]*watcher{}
	}
	w.waiting[id] = append(w.waiting[id], one)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		list := w.waiting[id]
		for i := range list {
			if list[i] == one {
				list[i] = list[len(list)-1]
				list = list[:len(list)-1]
				break
			}
		}
		if w.waiting[id] = list; len(list) == 0 {
			delete(w.waiting, id)
		}
	}
}

func (w *watchers) changed(s *domain.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.waiting[s.WorkflowID] {
		if one.matches(s) {
			select {
			case one.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (w *watcher) matches(s *domain.State) bool {
	return s.Version > w.after && (!w.ended || s.Status.Terminal())
}

// Watch returns as soon as the workflow's version is above after.
func (e *Engine) Watch(ctx context.Context, workflowID string, after int) (ports.Snapshot, error) {
	return e.wait(ctx, workflowID, &watcher{after: after, wake: make(chan struct{}, 1)})
}

// Await returns once the workflow has ended.
func (e *Engine) Await(ctx context.Context, workflowID string) (ports.Snapshot, error) {
	return e.wait(ctx, workflowID, &watcher{ended: true, wake: make(chan struct{}, 1)})
}

func (e *Engine) wait(ctx context.Context, workflowID string, w *watcher) (ports.Snapshot, error) {
	defer e.watchers.add(workflowID, w)()
	poll := time.NewTicker(watchPoll)
	defer poll.Stop()
	for {
		snap, err := e.Workflow(ctx, workflowID)
		if err != nil || w.matches(&snap.State) {
			return snap, err
		}
		select {
		case <-ctx.Done():
			return snap, ctx.Err()
		case <-e.ctx.Done():
			return snap, ports.ErrClosed
		case <-w.wake:
		case <-poll.C:
		}
	}
}
