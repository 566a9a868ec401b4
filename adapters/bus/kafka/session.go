package kafka

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/firstviscount/platform-coordination/adapters/bus/keyed"
)

const (
	commitEvery = 200 * time.Millisecond
	// prefetch is how many records are fetched for each message that may be out.
	prefetch = 2
)

var errRestart = errors.New("the topics were made anew")

// session is one membership in the group. Records of its partitions wait in
// queue; of those with one key one is out.
type session struct {
	feed   *feed
	client *kgo.Client
	queue  *keyed.Queue[fetched]

	mu         sync.Mutex
	partitions map[int32]*progress
	committed  map[int32]int64
	waiting    int           // records that were fetched and not acknowledged
	room       chan struct{} // there may be room for more
}

// fetched is a record of a partition that was the session's when it came.
type fetched struct {
	record   *kgo.Record
	progress *progress
}

func (f *feed) open() (s *session, err error) {
	s = &session{feed: f, queue: keyed.New[fetched](), partitions: map[int32]*progress{}, committed: map[int32]int64{}, room: make(chan struct{}, 1)}
	s.client, err = f.consumer(s)
	return s, err
}

// run delivers until ctx ends or the session has to.
func (s *session) run(ctx context.Context) error {
	life, end := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { end(s.fetch(life)) })
	parts.Go(func() { s.deliver(life) })
	parts.Go(func() { s.commitAll(life) })
	select {
	case <-s.feed.again:
		end(errRestart)
	case <-life.Done():
	}
	parts.Wait()
	if ctx.Err() != nil { // what was handled by then is acknowledged
		s.feed.settled.Wait()
		s.commit(s.client, nil)
	}
	s.client.CloseAllowingRebalance()
	return context.Cause(life)
}

// fetch takes records from the brokers.
func (s *session) fetch(ctx context.Context) error {
	limit := prefetch*s.feed.concurrency + 1
	for ctx.Err() == nil {
		s.mu.Lock()
		free := limit - s.waiting
		s.mu.Unlock()
		if free <= 0 {
			select {
			case <-s.room:
			case <-ctx.Done():
			}
			continue
		}
		fetches := s.client.PollRecords(ctx, free)
		err := s.take(fetches)
		s.client.AllowRebalance()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return ctx.Err()
}

// take puts records into the queue. The partitions cannot change meanwhile.
func (s *session) take(fetches kgo.Fetches) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		if p := s.partitions[r.Partition]; p != nil {
			p.fetched(r.Offset)
			s.waiting++
			s.queue.Put(string(r.Key), fetched{r, p})
		}
	})
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.Canceled) {
			return e.Err
		}
	}
	return nil
}

// deliver brings out what was fetched.
func (s *session) deliver(ctx context.Context) {
	f := s.feed
	for f.slots.Acquire(ctx, 1) == nil {
		key, item, err := s.queue.Take(ctx)
		if err != nil {
			f.slots.Release(1)
			return
		}
		if s.isLost(item) {
			s.done(key, item)
			f.slots.Release(1)
			continue
		}
		msg := received(ctx, item.record)
		select {
		case f.out <- msg:
			f.settled.Go(func() { s.settle(key, item, msg) })
		case <-ctx.Done():
			f.slots.Release(1)
			return
		}
	}
}

func (s *session) isLost(item fetched) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return item.progress.lost
}

// settle waits for what becomes of a message that is out; whoever got it says
// so in any case, also when the subscription has ended.
func (s *session) settle(key string, item fetched, msg *message.Message) {
	select {
	case <-msg.Acked():
		s.done(key, item)
	case <-msg.Nacked():
		s.queue.Return(key, item)
	}
	s.feed.slots.Release(1)
}

// done is the end of a record here.
func (s *session) done(key string, item fetched) {
	s.mu.Lock()
	item.progress.acked(item.record.Offset)
	s.waiting--
	s.mu.Unlock()
	s.queue.Done(key)
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// assigned begins with partitions at what is committed.
func (s *session) assigned(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range partitions[s.feed.topic] {
		s.partitions[n] = &progress{}
		delete(s.committed, n)
	}
}

// revoked gives partitions to others, who begin at what is committed now. What
// is being handled is handled by them again.
func (s *session) revoked(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	s.commit(client, partitions[s.feed.topic])
	s.dropped(context.Background(), client, partitions)
}

// dropped forgets partitions.
func (s *session) dropped(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range partitions[s.feed.topic] {
		if p := s.partitions[n]; p != nil {
			p.lost = true
			delete(s.partitions, n)
		}
	}
}

// commitAll commits what was acknowledged, now and then.
func (s *session) commitAll(ctx context.Context) {
	for pause(ctx, commitEvery) {
		s.commit(s.client, nil)
	}
}

// commit commits how far partitions were acknowledged; all if nil. What does
// not succeed is handled again some day.
func (s *session) commit(client *kgo.Client, only []int32) {
	offsets := map[int32]kgo.EpochOffset{}
	s.mu.Lock()
	if only == nil {
		for n := range s.partitions {
			only = append(only, n)
		}
	}
	for _, n := range only {
		p := s.partitions[n]
		if p == nil {
			continue
		}
		if offset, ok := p.committable(); ok && offset != s.committed[n] {
			offsets[n] = kgo.EpochOffset{Epoch: -1, Offset: offset}
		}
	}
	s.mu.Unlock()
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	var failed error
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.feed.topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
			failed = committedAll(answer, err)
		})
	if failed != nil {
		s.feed.transport.log.Debug("Kafka: nothing committed", slog.String("topic", s.feed.topic), slog.Any("error", failed))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, o := range offsets {
		s.committed[n] = o.Offset
	}
}

func committedAll(answer *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			if p.ErrorCode != 0 {
				return kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return nil
}
