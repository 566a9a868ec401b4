package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/broker"
	verification "github.com/firstviscount/platform-coordination/contracttests/participant"
)

// What the program prints: the repetition gets the same answer, and the late one
// is refused.
func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		os.Stdout.WriteString(err.Error())
	}
	// Output:
	// issue_card {"commandId":"saga-1:1:ISSUE:execute","attempt":1,"outcome":"SUCCEEDED","result":{"cardId":"card-saga-1:1:ISSUE:execute"}}
	// issue_card {"commandId":"saga-1:1:ISSUE:execute","attempt":2,"outcome":"SUCCEEDED","result":{"cardId":"card-saga-1:1:ISSUE:execute"}}
	// revoke_card {"commandId":"saga-1:1:REVOKE:compensate","attempt":1,"outcome":"SUCCEEDED"}
	// issue_card {"commandId":"saga-1:1:ISSUE:execute","attempt":2,"outcome":"REJECTED","error":{"code":"ALREADY_COMPENSATED","message":"the command was compensated before it came"}}
}

// channel is a GoChannel as the coordinator's bus takes a broker.
type channel struct{ *gochannel.GoChannel }

var _ broker.Transport = channel{}

func (c channel) Publisher() message.Publisher                       { return c.GoChannel }
func (c channel) Subscriber(string, int) (message.Subscriber, error) { return c.GoChannel, nil }
func (c channel) Ping(context.Context) error                         { return nil }

// TestTheContract checks every rule that a participant must keep, over the
// coordinator's own bus on the other side of the broker.
func TestTheContract(t *testing.T) {
	t.Parallel()
	shared := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, giftCards(), shared, shared) }()
	coordinator := bus.New(channel{shared}, bus.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		end()
		select {
		case err := <-served:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the participant does not end")
		}
		if err := coordinator.Close(); err != nil {
			t.Error(err)
		}
	})
	verification.Run(t, verification.Target{Bus: coordinator, Service: service,
		Do: verification.Sample{Action: "issue_card"}, Undo: verification.Sample{Action: "revoke_card"}})
}

// TestItIsFewLines: to bring the bus that one has takes no more than this.
func TestItIsFewLines(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "\nfunc serve(")
	body, _, found := strings.Cut(rest, "\n}\n")
	if lines := strings.Count(body, "\n"); !found || lines > 12 {
		t.Errorf("serve has %d lines", lines)
	}
}
