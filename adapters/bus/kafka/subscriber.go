package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"

	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
)

// Subscriber subscribes for a group.
func (t *Transport) Subscriber(group string, concurrency int) (message.Subscriber, error) {
	return &subscriber{broker.NewSubscriptions(t.life), t, group, concurrency}, nil
}

type subscriber struct {
	*broker.Subscriptions
	transport   *Transport
	group       string
	concurrency int
}

// Subscribe makes topic and group and begins to deliver.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	f := &feed{subscriber: s, topic: topic, out: make(chan *message.Message), again: make(chan struct{}, 1),
		slots: semaphore.NewWeighted(int64(s.concurrency))}
	t := s.transport
	if err := t.ensure(ctx, topic); err != nil {
		return nil, down(err)
	}
	if err := f.begin(ctx); err != nil {
		return nil, down(err)
	}
	ctx, cancel := s.Begin(ctx)
	t.mu.Lock()
	t.feeds[f] = struct{}{}
	t.mu.Unlock()
	s.Go(cancel, func() {
		f.run(ctx)
		t.mu.Lock()
		delete(t.feeds, f)
		t.mu.Unlock()
	})
	return f.out, nil
}

// feed is one subscription.
type feed struct {
	*subscriber
	topic   string
	slots   *semaphore.Weighted // one for each message that is out
	out     chan *message.Message
	again   chan struct{} // a new session is wanted
	settled sync.WaitGroup
}

func (f *feed) name() string { return f.group + "." + f.topic }

// restart has the subscription connect anew.
func (f *feed) restart() {
	select {
	case f.again <- struct{}{}:
	default:
	}
}

// begin says where a new group begins: at the end of the topic as it is now.
func (f *feed) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	for {
		err := f.commitEnd(ctx)
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		if !pause(ctx, 50*time.Millisecond) { // the cluster makes its table of groups at the first one
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (f *feed) commitEnd(ctx context.Context) error {
	_, admin := f.transport.clients()
	committed, err := admin.FetchOffsets(ctx, f.name())
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, f.topic)
	if err != nil {
		return err
	}
	var missing kadm.Offsets
	ends.Each(func(end kadm.ListedOffset) {
		if _, ok := committed.Lookup(f.topic, end.Partition); !ok && end.Err == nil {
			missing.AddOffset(f.topic, end.Partition, end.Offset, -1)
		}
	})
	if err := ends.Error(); err != nil || len(missing) == 0 {
		return err
	}
	answer, err := admin.CommitOffsets(ctx, f.name(), missing)
	if err != nil {
		return err
	}
	err = answer.Error()
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) {
		return nil // others are subscribed, who have said it
	}
	return err
}

// maxRepair bounds the pause between sessions.
const maxRepair = 5 * time.Second

// run holds one session after the other, until ctx ends.
func (f *feed) run(ctx context.Context) {
	for wait := 100 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, maxRepair) {
		began := time.Now()
		s, err := f.open()
		if err == nil {
			err = s.run(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		f.transport.log.Info("Kafka: subscribing again", slog.String("topic", f.topic), slog.Any("error", err))
		if time.Since(began) > maxRepair {
			wait = 100 * time.Millisecond
		}
		pause(ctx, wait)
	}
	f.settled.Wait()
	close(f.out)
}

// consumer makes the client of a session.
func (f *feed) consumer(s *session) (*kgo.Client, error) {
	return kgo.NewClient(append(f.transport.options, kgo.ConsumerGroup(f.name()), kgo.ConsumeTopics(f.topic),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(s.assigned), kgo.OnPartitionsRevoked(s.revoked), kgo.OnPartitionsLost(s.dropped),
		kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout/5))...)
}

// sessionTimeout is when the group gives away what a lost subscriber had.
const sessionTimeout = 10 * time.Second
