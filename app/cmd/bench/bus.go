package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/events"
	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/adapters/bus/nats/natstest"
	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/adapters/participants/busclient"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// busParticipantCommand makes this program the participant of a run over a broker.
	busParticipantCommand = "bus-participant"
	// busConcurrency is how many commands the participant has in hand at once,
	// as many as over HTTP.
	busConcurrency = 128
	memoryBus      = "memory"
)

// newBusPartner is the participant behind a message bus: on "memory" in this
// process, on "nats" in one of its own with a server of its own between.
func newBusPartner(ctx context.Context, kind string) (*partner, error) {
	url := memoryBus
	p := &partner{}
	if kind == "nats" {
		server, err := p.startNATS()
		if err != nil {
			return nil, err
		}
		url = server.URL()
	}
	b, err := bus.Open(ctx, bus.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	p.stops = append(p.stops, func() { _ = b.Close() })
	if kind == "nats" {
		p.events = events.New(b) // as a coordinator does on a broker
		_, stop, err := startSelf(busParticipantCommand, url)
		if err != nil {
			return nil, err
		}
		p.stops = append(p.stops, stop)
	} else if err := b.Subscribe(ctx, benchSubscription(b)); err != nil {
		return nil, err
	}
	p.participant = busclient.New(b, busclient.Config{Service: benchService, CallbackBaseURL: "http://127.0.0.1:1"})
	p.attach = func(e *engine.Engine) error {
		replies := inbound.Replies{To: e, Logger: slog.New(slog.DiscardHandler)}
		return b.Subscribe(ctx, replies.Subscription())
	}
	return p, nil
}

// startNATS starts a server with its data in a directory of its own.
func (p *partner) startNATS() (*natstest.Server, error) {
	dir, err := os.MkdirTemp("", "coordination-bench-nats-")
	if err != nil {
		return nil, err
	}
	p.stops = append(p.stops, func() { _ = os.RemoveAll(dir) })
	server, err := natstest.Run(dir)
	if err != nil {
		return nil, err
	}
	p.stops = append(p.stops, server.Stop)
	return server, nil
}

// serveBusParticipant answers every command that comes over a broker, in a
// process of its own, until standard input ends.
func serveBusParticipant(url string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := bus.Open(ctx, bus.Config{URL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := b.Subscribe(ctx, benchSubscription(b)); err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // the parent holds it: when it is gone, so are we
	return b.Close()
}

// benchSubscription answers commands as the participant over HTTP does, and
// acknowledges each after its reply was taken.
func benchSubscription(b ports.Bus) ports.Subscription {
	return ports.Subscription{Topic: coordination.TopicCommands(benchService), Group: benchService, Concurrency: busConcurrency,
		Handle: func(ctx context.Context, m ports.Message) error {
			e, err := cloudevents.Read(m.Body)
			if err != nil {
				return ports.Poison("%v", err)
			}
			var cmd struct{ CommandID, Step, Action string }
			if err := json.Unmarshal(e.Data, &cmd); err != nil {
				return ports.Poison("%v", err)
			}
			reply, err := cloudevents.Message(coordination.CloudEvent{ID: e.ID + "/reply", Source: "/" + benchService, Type: coordination.TypeReply,
				Subject: e.Subject, PartitionKey: e.PartitionKey, Data: benchReply(cmd.CommandID, cmd.Step, cmd.Action)})
			if err != nil {
				return err
			}
			return b.Publish(ctx, coordination.TopicReplies, reply)
		}}
}

func benchReply(commandID, step, action string) json.RawMessage {
	if action == "refuse" {
		return fmt.Appendf(nil, `{"commandId":%q,"outcome":"REJECTED","error":{"code":"REFUSED","message":"as asked"}}`, commandID)
	}
	return fmt.Appendf(nil, `{"commandId":%q,"outcome":"SUCCEEDED","result":{"reference":"ref-%s","status":"DONE"}}`, commandID, step)
}
