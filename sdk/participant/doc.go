// Package participant serves the actions of a service to a saga coordinator,
// over HTTP and over a message bus with the same functions.
//
//	p := participant.New("payment-service", participant.Config{Secrets: secrets})
//	p.Handle("process_payment", barrier.Do(charge))
//	p.Handle("void_payment", barrier.Undo(void))
//	http.ListenAndServe(":9002", p)
//
// # What a participant promises
//
// The protocol is saga-participant/1:
//
//   - A command comes at least once. However often it comes, its effect happens
//     once, and every time it gets the same answer; [Command] has the key in
//     CommandID, the same for every attempt.
//   - REJECTED says that there was no effect and never will be. UNKNOWN says
//     that there may have been one: it will be asked again, or undone.
//   - The undo of a command that never came is answered SUCCEEDED, and the
//     command, if it comes afterwards, REJECTED with ALREADY_COMPENSATED.
//
// A [Barrier] keeps all of that in the participant's own SQL database, in the
// transaction of the effect itself; a [Memory] keeps it in the process, for
// tests and for services without an effect worth keeping.
//
// # Outcomes
//
// An action returns one of [Succeeded], [Accepted], [Rejected], [Retry],
// [Unknown] and [Refused]. Over HTTP they become a status and a body, over a bus
// a reply. An action that panics, or returns nothing, is Unknown.
//
// # Answers that come later
//
// An action that takes longer than its deadline returns [Accepted], keeps the
// command (its [Callback] and its ID) with what it has promised, and answers
// when it is done: by [Callback.Complete] over HTTP, by [Participant.Reply] over
// a bus. [Barrier.Settle] does what was promised and remembers the answer in one
// transaction, unless the command was undone meanwhile.
//
// # Over a message bus
//
// [ServeBus] takes commands from any subscriber of the shape that Watermill
// gave the world, and needs three lines for the real one
// (github.com/ThreeDotsLabs/watermill/message):
//
//	err := participant.ServeBus(ctx, p, participant.Bus[*message.Message]{
//		Subscriber: subscriber,
//		Payload:    func(m *message.Message) []byte { return m.Payload },
//		Publish: func(_ context.Context, m participant.Message) error {
//			return publisher.Publish(m.Topic, message.NewMessage(m.ID, m.Body))
//		},
//	})
//
// The payload is the CloudEvent itself: use the marshaler of the broker that
// leaves it as it is, which is the default of most. The folder examples/watermill
// of the repository is this, as a program. For any other bus, give what was
// received to [Participant.HandleMessage] and publish what it returns.
//
// # Who sends commands
//
// Over HTTP a command is signed as Standard Webhooks describes; with
// [Config].Secrets an unsigned one is refused. Without, whoever reaches the
// address can give commands. Over a bus the broker decides who may publish.
//
// # Verifying a participant
//
// coordctl contract verify participant checks every rule from outside; the
// module contracttests, package participant, does it from a test.
//
// The package needs nothing but the standard library.
package participant
