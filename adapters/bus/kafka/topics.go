package kafka

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// mainPrefix begins the names of the topics that are made for who publishes.
const mainPrefix = "coordination."

// topicReplicas leaves the number of replicas to the cluster.
const topicReplicas = -1

// known reports whether a topic is there. One of the coordinator's that is not
// is made; nobody reads another.
func (t *Transport) known(ctx context.Context, topic string) (bool, error) {
	t.mu.Lock()
	_, ok := t.topics[topic]
	t.mu.Unlock()
	if ok {
		return true, nil
	}
	if strings.HasPrefix(topic, mainPrefix) {
		return true, t.ensure(ctx, topic)
	}
	id, err := t.look(ctx, topic)
	if err != nil || id == (kadm.TopicID{}) {
		return false, err
	}
	t.remember(topic, id)
	return true, nil
}

// look gives the ID of a topic all of whose partitions can be used, zero if
// there is none.
func (t *Transport) look(ctx context.Context, topic string) (kadm.TopicID, error) {
	_, admin := t.clients()
	details, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return kadm.TopicID{}, err
	}
	d := details[topic]
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return kadm.TopicID{}, nil
	}
	if d.Err != nil {
		return kadm.TopicID{}, d.Err
	}
	for _, p := range d.Partitions {
		if p.Err != nil {
			return kadm.TopicID{}, p.Err
		}
	}
	return d.ID, nil
}

// ensure makes a topic if it is missing and waits until it can be used.
func (t *Transport) ensure(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	for {
		id, err := t.look(ctx, topic)
		switch {
		case err == nil && id != (kadm.TopicID{}):
			t.remember(topic, id)
			return nil
		case err == nil:
			_, admin := t.clients()
			age, size := strconv.FormatInt(MaxAge.Milliseconds(), 10), strconv.Itoa(maxRecordBytes+1<<10)
			_, err = admin.CreateTopic(ctx, Partitions, topicReplicas, map[string]*string{"retention.ms": &age, "max.message.bytes": &size}, topic)
			if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) && !kerr.IsRetriable(err) {
				return err
			}
		case !kerr.IsRetriable(err):
			return err
		}
		if !pause(ctx, 20*time.Millisecond) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (t *Transport) remember(topic string, id kadm.TopicID) {
	t.mu.Lock()
	t.topics[topic] = id
	t.mu.Unlock()
}

// watch notices topics that are gone or others by the same name, which is how a
// cluster that came back empty looks, until Close.
func (t *Transport) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-t.alarm:
		case <-t.life.Done():
			return
		}
		if lost := t.lost(); len(lost) > 0 {
			t.restore(lost)
		}
	}
}

// lost are the topics that are not what they were.
func (t *Transport) lost() []string {
	t.mu.Lock()
	admin, was, names := t.admin, make(map[string]kadm.TopicID, len(t.topics)), make([]string, 0, len(t.topics))
	for topic, id := range t.topics {
		was[topic] = id
		names = append(names, topic)
	}
	t.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.life, requestTimeout)
	defer cancel()
	now, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil
	}
	var lost []string
	for topic, id := range was {
		d := now[topic]
		if errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Err == nil && d.ID != id {
			lost = append(lost, topic)
		}
	}
	return lost
}

// restore makes topics again and has everybody connect anew.
func (t *Transport) restore(lost []string) {
	t.log.Warn("Kafka had lost topics", slog.Any("topics", lost))
	for _, topic := range lost {
		if err := t.ensure(t.life, topic); err != nil {
			t.log.Warn("Kafka: a topic was not restored", slog.String("topic", topic), slog.Any("error", err))
			return // the next look tells again
		}
	}
	if err := t.connect(); err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.feeds {
		f.restart()
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
