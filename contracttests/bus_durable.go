package contracttests

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/firstviscount/platform-coordination/ports"
)

// Broker is a broker of the test's own, that can be treated badly.
type Broker interface {
	// Kill ends it without warning.
	Kill()
	// Restart starts it again where it was, with the data it had.
	Restart(tb testing.TB)
	// Wipe removes the data of a broker that was killed.
	Wipe(tb testing.TB)
}

// DurableBus checks what a bus promises over failures of its broker: what it
// confirmed is there after a kill, and everybody goes on by himself after kills
// and after the broker came back empty. It kills the broker, which must be no
// one else's, and leaves it running; open must see to the closing of what it
// returns (t.Cleanup).
func DurableBus(t *testing.T, broker Broker, open func(t *testing.T) ports.Bus) {
	t.Helper()
	rules := []struct {
		name  string
		check func(t *testing.T, broker Broker, open func() ports.Bus)
	}{
		{"a broker that is gone is ErrBusDown", checkBrokerGone},
		{"what was confirmed outlives a kill", checkConfirmedOutlives},
		{"a subscription goes on after kills", checkGoesOnAfterKills},
		{"a subscription goes on with a broker that came back empty", checkGoesOnEmpty},
	}
	for _, r := range rules { // one after the other: they share the broker
		t.Run(r.name, func(t *testing.T) { r.check(t, broker, func() ports.Bus { return open(t) }) })
	}
}

const (
	durableTopic = "coordination.commands.some-service"
	// recovery is how long a bus may take to go on with a broker that is back.
	recovery = 60 * time.Second
)

var errNotDelivered = errors.New("none; what was published does not arrive")

func subscribed(t *testing.T, b ports.Bus) *inbox {
	t.Helper()
	in := &inbox{}
	err := b.Subscribe(t.Context(), ports.Subscription{Topic: durableTopic, Group: "g", Concurrency: 8, Handle: in.take})
	if err != nil {
		t.Fatalf("broken promise: Subscribe: %v", err)
	}
	return in
}

// publishOne publishes within the time that a caller would give it.
func publishOne(ctx context.Context, b ports.Bus, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return b.Publish(ctx, durableTopic, ports.Message{ID: id, Key: "k", Body: []byte("{}")})
}

// flows publishes messages until one of them arrives: what was published while
// the broker was lost may be lost with it.
func flows(t *testing.T, b ports.Bus, in *inbox, when string) {
	t.Helper()
	var err error
	deadline := time.Now().Add(recovery)
	for n := 0; time.Now().Before(deadline); n++ {
		id := fmt.Sprint(when, "-", n)
		if err = publishOne(t.Context(), b, id); err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for wait := time.Now().Add(time.Second); time.Now().Before(wait); time.Sleep(10 * time.Millisecond) {
			if len(in.of(id)) > 0 {
				return
			}
		}
		err = errNotDelivered
	}
	t.Fatalf("broken promise: nothing arrives %s; the last error of Publish: %v", when, err)
}

func checkBrokerGone(t *testing.T, broker Broker, open func() ports.Bus) {
	b := open()
	flows(t, b, subscribed(t, b), "before")
	broker.Kill()
	// What is under way at the kill may be in doubt; soon nothing is.
	deadline := time.Now().Add(recovery)
	for err := error(nil); !errors.Is(err, ports.ErrBusDown); time.Sleep(50 * time.Millisecond) {
		if err = publishOne(t.Context(), b, "nobody"); err == nil {
			t.Fatal("broken promise: published to nobody")
		}
		if time.Now().After(deadline) {
			t.Fatalf("broken promise: the error of Publish stays in doubt: %v", err)
		}
	}
	if err := b.Ping(t.Context()); !errors.Is(err, ports.ErrBusDown) {
		t.Errorf("broken promise: Ping of nobody is %v", err)
	}
	broker.Restart(t)
}

func checkConfirmedOutlives(t *testing.T, broker Broker, open func() ports.Bus) {
	const messages = 20
	subscriber, b := open(), open()
	flows(t, b, subscribed(t, subscriber), "before")
	if err := subscriber.Close(); err != nil {
		t.Fatalf("broken promise: Close: %v", err)
	}
	for n := range messages {
		if err := publishOne(t.Context(), b, message(n).ID); err != nil {
			t.Fatalf("broken promise: Publish: %v", err)
		}
	}
	broker.Kill()
	broker.Restart(t)
	in := subscribed(t, open())
	for deadline := time.Now().Add(recovery); !in.has(0, messages); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("broken promise: messages were confirmed and are lost; there are only %d", len(in.all()))
		}
	}
}

func checkGoesOnAfterKills(t *testing.T, broker Broker, open func() ports.Bus) {
	b := open()
	in := subscribed(t, b)
	for n := range 2 {
		flows(t, b, in, fmt.Sprint("before-kill-", n))
		broker.Kill()
		broker.Restart(t)
	}
	flows(t, b, in, "after-kills")
}

func checkGoesOnEmpty(t *testing.T, broker Broker, open func() ports.Bus) {
	b := open()
	in := subscribed(t, b)
	flows(t, b, in, "before")
	broker.Kill()
	broker.Wipe(t)
	broker.Restart(t)
	flows(t, b, in, "after")
}
