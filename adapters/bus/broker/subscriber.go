package broker

import (
	"context"
	"sync"
)

// Subscriptions end together, with the subscriber that they belong to. Make them
// with NewSubscriptions.
type Subscriptions struct {
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup
}

// NewSubscriptions are none yet; they end with life at the latest.
func NewSubscriptions(life context.Context) *Subscriptions {
	s := &Subscriptions{}
	s.life, s.end = context.WithCancel(life)
	return s
}

// Begin bounds the context of a new subscription by the life of the subscriber.
// It must be canceled, or given to Go.
func (s *Subscriptions) Begin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Go delivers in a goroutine that Close waits for, and cancels at its end.
func (s *Subscriptions) Go(cancel context.CancelFunc, deliver func()) {
	s.running.Go(func() {
		defer cancel()
		deliver()
	})
}

// Close ends all deliveries and waits for them.
func (s *Subscriptions) Close() error {
	s.end()
	s.running.Wait()
	return nil
}
