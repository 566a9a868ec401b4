// Command watermill is a participant on a message bus, by Watermill: the same
// functions as over HTTP. It brings its own broker, a GoChannel inside the
// process, sends itself a command, its repetition, its undo and a repetition that
// is late, prints the replies and ends.
//
// With a real broker only the subscriber and the publisher are others.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

const service = "gift-service"

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watermill:", err)
		os.Exit(1)
	}
}

// giftCards issues cards and revokes them. What was issued ends with the
// process, and so may the memory of it.
func giftCards() *participant.Participant {
	rules, p := participant.NewMemory(), participant.New(service, participant.Config{})
	p.Handle("issue_card", rules.Do(func(_ context.Context, c *participant.Command) participant.Outcome {
		return participant.Succeeded{Result: map[string]string{"cardId": "card-" + c.CommandID}}
	}))
	p.Handle("revoke_card", rules.Undo(func(context.Context, *participant.Command) participant.Outcome {
		return participant.Succeeded{}
	}))
	return p
}

// serve serves a participant over Watermill until ctx ends. Metadata is for the
// broker: messages of one saga keep their order by the key.
func serve(ctx context.Context, p *participant.Participant, subscriber message.Subscriber, publisher message.Publisher) error {
	return participant.ServeBus(ctx, p, participant.Bus[*message.Message]{
		Subscriber: subscriber,
		Payload:    func(m *message.Message) []byte { return m.Payload },
		Publish: func(_ context.Context, m participant.Message) error {
			reply := message.NewMessage(m.ID, m.Body)
			reply.Metadata.Set("content-type", m.ContentType)
			reply.Metadata.Set("partition-key", m.Key)
			return publisher.Publish(m.Topic, reply)
		},
	})
}

// run plays the coordinator against the participant.
func run(ctx context.Context, out io.Writer) error {
	ctx, end := context.WithCancel(ctx)
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	served := make(chan error, 1)
	go func() { served <- serve(ctx, giftCards(), broker, broker) }()
	err := play(ctx, out, broker)
	end()
	if served := <-served; err == nil {
		err = served
	}
	if closed := broker.Close(); err == nil {
		err = closed
	}
	return err
}

// play sends commands one after the other and prints their replies.
func play(ctx context.Context, out io.Writer, broker *gochannel.GoChannel) error {
	replies, err := broker.Subscribe(ctx, coordination.TopicReplies)
	if err != nil {
		return err
	}
	issue := coordination.Command{CommandID: "saga-1:1:ISSUE:execute", SagaID: "saga-1", Service: service, Action: "issue_card",
		Direction: coordination.DirectionExecute, Attempt: 1}
	again := issue
	again.Attempt = 2
	revoke := coordination.Command{CommandID: "saga-1:1:REVOKE:compensate", SagaID: "saga-1", Service: service, Action: "revoke_card",
		Direction: coordination.DirectionCompensate, Attempt: 1,
		Forward: &coordination.Forward{Step: "ISSUE", CommandID: issue.CommandID, Outcome: coordination.OutcomeSucceeded}}
	for _, command := range []coordination.Command{issue, again, revoke, again} {
		event, err := eventOf(command)
		if err != nil {
			return err
		}
		if err := broker.Publish(coordination.TopicCommands(service), message.NewMessage(watermill.NewUUID(), event)); err != nil {
			return err
		}
		reply := <-replies
		reply.Ack()
		var e coordination.CloudEvent
		if err := json.Unmarshal(reply.Payload, &e); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s\n", command.Action, e.Data)
	}
	return nil
}

// eventOf is a command as the coordinator publishes it.
func eventOf(c coordination.Command) ([]byte, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(coordination.CloudEvent{SpecVersion: coordination.CloudEventsVersion, ID: watermill.NewUUID(),
		Source: "/platform-coordination", Type: coordination.TypeCommand, DataContentType: "application/json", Data: data})
}
