package bus_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/memory"
	"github.com/firstviscount/platform-coordination/contracttests"
	"github.com/firstviscount/platform-coordination/ports"
)

const (
	// brokenRuleTimeout is how long a rule waits for what a broken bus never does.
	brokenRuleTimeout = 2 * time.Second
	// brokenTries is how often a rule may miss what a broken bus does too late,
	// on a machine that is busy with other things.
	brokenTries = 3
)

// faulty is a working bus with one promise broken.
type faulty struct {
	ports.Bus
	publish   func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error
	subscribe func(next ports.Bus, ctx context.Context, s ports.Subscription) error
	close     func(next ports.Bus) error
}

func (f *faulty) Publish(ctx context.Context, topic string, m ports.Message) error {
	if f.publish != nil {
		return f.publish(f.Bus, ctx, topic, m)
	}
	return f.Bus.Publish(ctx, topic, m)
}

func (f *faulty) Subscribe(ctx context.Context, s ports.Subscription) error {
	if f.subscribe != nil {
		return f.subscribe(f.Bus, ctx, s)
	}
	return f.Bus.Subscribe(ctx, s)
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close(f.Bus)
	}
	return f.Bus.Close()
}

// onPublish breaks messages before they are published.
func onPublish(change func(m *ports.Message)) func() *faulty {
	return func() *faulty {
		return &faulty{publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
			change(&m)
			return next.Publish(ctx, topic, m)
		}}
	}
}

// onSubscribe breaks subscriptions.
func onSubscribe(change func(s *ports.Subscription)) func() *faulty {
	return func() *faulty {
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			change(&s)
			return next.Subscribe(ctx, s)
		}}
	}
}

// onHandle breaks handlers.
func onHandle(change func(handle handler) handler) func() *faulty {
	return onSubscribe(func(s *ports.Subscription) { s.Handle = change(s.Handle) })
}

type handler = func(ctx context.Context, m ports.Message) error

// isQuarantine spares the quarantine, which the rules look into.
func isQuarantine(topic string) bool { return topic == "coordination.quarantine" }

// broken are buses that break a promise, by the rule that must notice.
var broken = []struct {
	name string
	rule string // begins the name of the rule
	bus  func() *faulty
}{
	{"loses every tenth message", "many may publish at once", func() *faulty {
		var n atomic.Int64
		return &faulty{publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
			if n.Add(1)%10 == 0 {
				return nil
			}
			return next.Publish(ctx, topic, m)
		}}
	}},
	{"ends bodies at a zero byte", "a delivery has the ID", onPublish(func(m *ports.Message) { before, _, _ := strings.Cut(string(m.Body), "\x00"); m.Body = []byte(before) })},
	{"loses headers", "a delivery has the ID", onPublish(func(m *ports.Message) { m.Headers = nil })},
	{"loses keys", "of messages with one key", onPublish(func(m *ports.Message) { m.Key = "" })},
	{"cuts long bodies", "a body of MaxMessageBytes is carried", onPublish(func(m *ports.Message) { m.Body = m.Body[:min(len(m.Body), 1<<19)] })},
	{"takes what is too long", "a body of MaxMessageBytes is carried", onPublish(func(m *ports.Message) { m.Body = m.Body[:min(len(m.Body), ports.MaxMessageBytes)] })},
	{"mends IDs", "an ID, Key, topic or group", onPublish(func(m *ports.Message) {
		if strings.Contains(m.ID, " ") {
			m.ID = "mended"
		}
	})},
	{"waits for better times", "Publish returns when ctx ends", func() *faulty {
		return &faulty{publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
			if ctx.Err() != nil {
				time.Sleep(2 * brokenRuleTimeout)
			}
			return next.Publish(ctx, topic, m)
		}}
	}},
	{"publishes later", "Publish has taken its copy", func() *faulty {
		return &faulty{publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
			time.AfterFunc(10*time.Millisecond, func() { _ = next.Publish(ctx, topic, m) })
			return nil
		}}
	}},
	{"refuses topics without subscribers", "a message for a topic that nobody", func() *faulty {
		var known sync.Map
		return &faulty{
			publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
				if _, ok := known.Load(topic); !ok {
					return ports.ErrMessageRefused
				}
				return next.Publish(ctx, topic, m)
			},
			subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
				known.Store(s.Topic, true)
				return next.Subscribe(ctx, s)
			},
		}
	}},
	{"subscribes in the background", "Subscribe returns when the broker knows", func() *faulty {
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			time.AfterFunc(10*time.Millisecond, func() { _ = next.Subscribe(ctx, s) })
			return nil
		}}
	}},
	{"forgets groups without subscribers", "what the group was not there to take", func() *faulty {
		var n atomic.Int64
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			s.Group = fmt.Sprint("g", n.Add(1))
			return next.Subscribe(ctx, s)
		}}
	}},
	{"acknowledges before it handles", "only when Handle returns nil", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			if err := handle(ctx, m); ports.IsPoison(err) {
				return err
			}
			return nil
		}
	})},
	{"acknowledges errors", "after an error the message comes again", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			if err := handle(ctx, m); ports.IsPoison(err) {
				return err
			}
			return nil
		}
	})},
	{"repeats at once", "after an error the message comes again", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			err := handle(ctx, m)
			for err != nil && !ports.IsPoison(err) && ctx.Err() == nil {
				err = handle(ctx, m)
			}
			return err
		}
	})},
	{"repeats until it works", "a message that fails does not stop the others", func() *faulty {
		var one sync.Mutex
		return onHandle(func(handle handler) handler {
			return func(ctx context.Context, m ports.Message) error {
				one.Lock()
				defer one.Unlock()
				err := handle(ctx, m)
				for err != nil && !ports.IsPoison(err) && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
					err = handle(ctx, m)
				}
				return err
			}
		})()
	}},
	{"delivers twice", "what was acknowledged is not delivered again", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error { return errors.Join(handle(ctx, m), handle(ctx, m)) }
	})},
	{"takes a panic for success", "a panic is no more than an error", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			defer func() { _ = recover() }()
			return handle(ctx, m)
		}
	})},
	{"repeats a panic for ever", "a message that makes its handler panic", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) (err error) {
			defer func() {
				if recover() != nil {
					err = errors.New("panic")
				}
			}()
			return handle(ctx, m)
		}
	})},
	{"drops poison", "poison is put into quarantine", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			if err := handle(ctx, m); !ports.IsPoison(err) {
				return err
			}
			return nil
		}
	})},
	{"repeats poison", "poison is put into quarantine", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			if err := handle(ctx, m); err != nil {
				return errors.New("no poison")
			}
			return nil
		}
	})},
	{"hides the reason", "poison is put into quarantine", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			if err := handle(ctx, m); ports.IsPoison(err) {
				return ports.Poison("poison")
			} else {
				return err
			}
		}
	})},
	{"knows poison only by its type", "a wrapped PoisonError", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			err := handle(ctx, m)
			if _, bare := err.(*ports.PoisonError); err != nil && !bare {
				return errors.New("an error")
			}
			return err
		}
	})},
	{"keeps poison from the other groups", "poison in one group is none in another", func() *faulty {
		var bad sync.Map
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			handle := s.Handle
			s.Handle = func(ctx context.Context, m ports.Message) error {
				if isQuarantine(s.Topic) {
					return handle(ctx, m)
				}
				if _, seen := bad.LoadOrStore(m.ID, true); seen {
					return nil
				}
				return handle(ctx, m)
			}
			return next.Subscribe(ctx, s)
		}}
	}},
	{"knows one group only", "every group gets all messages", onSubscribe(func(s *ports.Subscription) {
		if !isQuarantine(s.Topic) {
			s.Group = "one"
		}
	})},
	{"doubles the work", "each message goes to one of the group's", func() *faulty {
		var n atomic.Int64
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			s.Group = fmt.Sprint("g", n.Add(1))
			return next.Subscribe(ctx, s)
		}}
	}},
	{"gives all work to one subscriber", "a subscriber whose handler hangs", func() *faulty {
		var known sync.Map
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			if _, second := known.LoadOrStore(s.Topic+s.Group, true); second {
				return nil
			}
			return next.Subscribe(ctx, s)
		}}
	}},
	{"mixes topics", "the topics do not mix", func() *faulty {
		both := func(topic string) string { return strings.TrimSuffix(topic, ".more") }
		return &faulty{
			publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
				return next.Publish(ctx, both(topic), m)
			},
			subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
				s.Topic = both(s.Topic)
				return next.Subscribe(ctx, s)
			},
		}
	}},
	{"handles one at a time", "as many messages are handled at once", onSubscribe(func(s *ports.Subscription) { s.Concurrency = 1 })},
	{"handles more at once", "as many messages are handled at once", onSubscribe(func(s *ports.Subscription) { s.Concurrency++ })},
	{"takes 0 for no limit", "a concurrency of 0 is 1", onSubscribe(func(s *ports.Subscription) {
		if s.Concurrency == 0 {
			s.Concurrency = 64
		}
	})},
	{"shuffles", "of messages with one key", func() *faulty {
		return &faulty{publish: func(next ports.Bus, ctx context.Context, topic string, m ports.Message) error {
			h := fnv.New32()
			h.Write([]byte(m.ID))
			time.AfterFunc(time.Duration(h.Sum32()%20)*time.Millisecond, func() { _ = next.Publish(context.WithoutCancel(ctx), topic, m) })
			return nil
		}}
	}},
	{"goes on after the end", "deliveries go on until ctx ends", func() *faulty {
		return &faulty{subscribe: func(next ports.Bus, ctx context.Context, s ports.Subscription) error {
			return next.Subscribe(context.WithoutCancel(ctx), s)
		}}
	}},
	{"leaves handlers alone", "the handler's ctx ends", onHandle(func(handle handler) handler {
		return func(ctx context.Context, m ports.Message) error {
			// Ends some day, so that the bus can be closed.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*brokenRuleTimeout)
			defer cancel()
			return handle(ctx, m)
		}
	})},
	{"shares its handler's message", "a handler that changes its message", func() *faulty {
		var first sync.Map
		return onHandle(func(handle handler) handler {
			return func(ctx context.Context, m ports.Message) error {
				same, _ := first.LoadOrStore(m.ID, m)
				return handle(ctx, same.(ports.Message))
			}
		})()
	}},
	{"does not wait at the end", "Close waits for the handlers", func() *faulty {
		return &faulty{close: func(next ports.Bus) error { go next.Close(); return nil }}
	}},
	{"cannot be closed twice", "Close may be called twice", func() *faulty {
		var closed atomic.Bool
		return &faulty{close: func(next ports.Bus) error {
			if closed.Swap(true) {
				return errors.New("closed already")
			}
			return next.Close()
		}}
	}},
	{"stays open", "a closed bus publishes nothing", func() *faulty {
		return &faulty{close: func(ports.Bus) error { return nil }}
	}},
}

// TestBrokenBuses shows that the rules of the contract notice: each broken bus
// is caught by the rule that it breaks. Most rules notice by waiting in vain, so
// all run at once, however few tests may run in parallel.
func TestBrokenBuses(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for _, b := range broken {
		r := ruleNamed(t, b.rule)
		all.Go(func() {
			for range brokenTries {
				if breaks(t, b.bus(), r) {
					return
				}
			}
			t.Errorf("a bus that %s passes the rule %q", b.name, r.Name)
		})
	}
}

// breaks reports whether a bus is caught by a rule.
func breaks(t *testing.T, subject *faulty, r contracttests.BusRule) bool {
	working := bus.New(memory.New(), bus.Config{Logger: slog.New(slog.DiscardHandler)})
	defer working.Close()
	subject.Bus = working
	ctx, cancel := context.WithTimeout(t.Context(), brokenRuleTimeout)
	defer cancel()
	return r.Check(ctx, subject) != nil
}

func ruleNamed(t *testing.T, prefix string) contracttests.BusRule {
	for _, r := range contracttests.BusRules() {
		if strings.HasPrefix(r.Name, prefix) {
			return r
		}
	}
	t.Fatalf("no rule begins %q", prefix)
	return contracttests.BusRule{}
}
