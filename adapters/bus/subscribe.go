package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// MaxConcurrency bounds how many messages a subscription may handle at once.
	MaxConcurrency = 4096
	// spareMessages and a quarter of the concurrency is how many messages
	// beyond it a subscription has, so that some which failed can wait for
	// their next try without holding up the others.
	spareMessages = 3
	// handlerPatience bounds how long the end of a subscription waits for its
	// handlers; it is there for Watermill, which wants a bound.
	handlerPatience = 24 * time.Hour
)

// subscription is one Subscribe, as long as it lasts.
type subscription struct {
	bus    *messageBus
	ctx    context.Context // ends with the subscription
	wish   ports.Subscription
	slots  chan struct{} // one for each handler that runs
	faults faults
	logger *slog.Logger
}

// Subscribe begins to deliver; see ports.Subscriber.
func (b *messageBus) Subscribe(ctx context.Context, wish ports.Subscription) error {
	if wish.Concurrency == 0 {
		wish.Concurrency = 1
	}
	if err := checkWish(wish); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	s := &subscription{bus: b, ctx: ctx, wish: wish, slots: make(chan struct{}, wish.Concurrency),
		logger: b.logger.With(slog.String("topic", wish.Topic), slog.String("group", wish.Group))}
	if err := b.enter(s, end); err != nil {
		end()
		return err
	}
	router, err := s.route()
	if err != nil {
		b.leave(s)
		return err
	}
	go func() {
		defer b.leave(s)
		if err := router.Run(ctx); err != nil {
			s.logger.Error("a subscription to the message bus ended", slog.Any("error", err))
		}
	}()
	return nil
}

func checkWish(wish ports.Subscription) error {
	if err := checkTopic(wish.Topic); err != nil {
		return err
	}
	switch {
	case !groupForm.MatchString(wish.Group):
		return refused("group: want 1 to 64 of a-z 0-9 -")
	case wish.Concurrency < 0 || wish.Concurrency > MaxConcurrency:
		return refused("concurrency: want at most %d", MaxConcurrency)
	case wish.Handle == nil:
		return refused("a subscription wants a handler")
	}
	return nil
}

// route subscribes with the broker and makes the router of the deliveries. Each
// subscription has a router of its own, since a router ends with its last handler.
func (s *subscription) route() (*message.Router, error) {
	out := s.wish.Concurrency + s.wish.Concurrency/4 + spareMessages
	subscriber, err := s.bus.transport.Subscriber(s.wish.Group, out)
	if err != nil {
		return nil, err
	}
	messages, err := subscriber.Subscribe(s.ctx, s.wish.Topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", s.wish.Topic, err)
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: handlerPatience}, LogAdapter(s.logger))
	if err != nil {
		return nil, err
	}
	router.AddConsumerHandler(s.wish.Group, s.wish.Topic, &subscribed{subscriber, messages}, s.receive)
	return router, nil
}

// subscribed is a subscriber that has subscribed already, so that the router
// cannot fail to: it would leave goroutines behind.
type subscribed struct {
	message.Subscriber
	messages <-chan *message.Message
}

// Subscribe gives the messages.
func (s *subscribed) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return s.messages, nil
}
