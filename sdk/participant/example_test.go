package participant_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/participant"
)

// The whole of a participant: one action and its undo, over HTTP.
func Example() {
	rules := participant.NewMemory()
	p := participant.New("gift-service", participant.Config{})
	p.Handle("issue_card", rules.Do(func(_ context.Context, c *participant.Command) participant.Outcome {
		var order struct{ Value int }
		if err := c.Decode(&order); err != nil {
			return participant.Refused{Code: "INVALID_PARAMETERS", Message: err.Error()}
		}
		if order.Value > 500 {
			return participant.Rejected{Code: "TOO_MUCH", Message: "A card holds at most 500"}
		}
		return participant.Succeeded{Result: map[string]string{"cardId": "card-" + c.CommandID}}
	}))
	p.Handle("revoke_card", rules.Undo(func(context.Context, *participant.Command) participant.Outcome {
		return participant.Succeeded{}
	}))

	server := httptest.NewServer(p) // a program calls http.ListenAndServe(":9002", p)
	defer server.Close()
	response, err := http.Post(server.URL+"/issue_card", "application/json",
		bytes.NewBufferString(`{"commandId":"k-1","action":"issue_card","direction":"EXECUTE","attempt":1,"parameters":{"value":50}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body))
	// Output: 200 {"outcome":"SUCCEEDED","result":{"cardId":"card-k-1"}}
}

// delivery has the shape of Watermill's *message.Message.
type delivery struct {
	payload []byte
	done    chan bool
}

func (d *delivery) Context() context.Context { return context.Background() }
func (d *delivery) Ack() bool                { d.done <- true; return true }
func (d *delivery) Nack() bool               { d.done <- false; return true }

// queue has the shape of Watermill's message.Subscriber.
type queue chan *delivery

func (q queue) Subscribe(context.Context, string) (<-chan *delivery, error) { return q, nil }

// The same functions over a message bus. With Watermill, delivery is
// *message.Message, and Payload is func(m *message.Message) []byte { return m.Payload }.
func ExampleServeBus() {
	p := participant.New("gift-service", participant.Config{})
	p.Handle("issue_card", participant.NewMemory().Do(func(context.Context, *participant.Command) participant.Outcome {
		return participant.Succeeded{Result: map[string]string{"cardId": "card-1"}}
	}))
	commands := make(queue, 1)
	served := make(chan error)
	go func() {
		served <- participant.ServeBus(context.Background(), p, participant.Bus[*delivery]{
			Subscriber: commands,
			Payload:    func(d *delivery) []byte { return d.payload },
			Publish: func(_ context.Context, m participant.Message) error {
				var e coordination.CloudEvent
				if err := json.Unmarshal(m.Body, &e); err != nil {
					return err
				}
				fmt.Println(m.Topic, string(e.Data))
				return nil
			},
		})
	}()
	d := &delivery{done: make(chan bool, 1), payload: []byte(`{"specversion":"1.0","id":"k-1/1","source":"/platform-coordination",
		"type":"com.firstviscount.coordination.command.v1",
		"data":{"commandId":"k-1","service":"gift-service","action":"issue_card","direction":"EXECUTE","attempt":1}}`)}
	commands <- d
	fmt.Println("acknowledged:", <-d.done)
	close(commands)
	fmt.Println("ended:", <-served)
	// Output:
	// coordination.replies {"commandId":"k-1","attempt":1,"outcome":"SUCCEEDED","result":{"cardId":"card-1"}}
	// acknowledged: true
	// ended: <nil>
}

// An effect in the participant's own database: it and the memory of the command
// are committed together. db is the participant's *sql.DB. The folders
// examples/minimal and examples/barrier of the repository run it on databases.
func ExampleBarrier() {
	serve := func(ctx context.Context, db *sql.DB) error {
		barrier := participant.NewBarrier(db, participant.Postgres)
		if err := barrier.Migrate(ctx); err != nil {
			return err
		}
		p := participant.New("inventory-service", participant.Config{})
		p.Handle("reserve_inventory", barrier.Do(func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
			result, err := tx.ExecContext(ctx, `UPDATE stock SET free = free - 1 WHERE product = $1 AND free > 0`, "cup")
			if err != nil {
				return nil, err // rolled back, and asked again
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				return participant.Rejected{Code: "INSUFFICIENT_STOCK", Message: "no cup is left"}, err
			}
			return participant.Succeeded{Result: map[string]string{"reservationId": c.CommandID}}, nil
		}))
		p.Handle("release_reservation", barrier.Undo(func(ctx context.Context, tx *sql.Tx, _ *participant.Command) (participant.Outcome, error) {
			_, err := tx.ExecContext(ctx, `UPDATE stock SET free = free + 1 WHERE product = $1`, "cup")
			return participant.Succeeded{}, err
		}))
		return http.ListenAndServe(":9001", p)
	}
	_ = serve
}

// An action whose answer comes later, and is not lost with the process: the
// command is kept with the promise, in the transaction that accepts it. Whatever
// works through the promises calls settle for each until it returns nil; the
// coordinator may be told twice.
func ExampleBarrier_Settle() {
	accept := func(ctx context.Context, tx *sql.Tx, c *participant.Command) (participant.Outcome, error) {
		kept, err := json.Marshal(c.Command)
		if err != nil {
			return nil, err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO promises (command) VALUES ($1)`, kept)
		return participant.Accepted{}, err
	}
	settle := func(ctx context.Context, barrier *participant.Barrier, kept []byte) error {
		var c participant.Command
		if err := json.Unmarshal(kept, &c.Command); err != nil {
			return err
		}
		answer, err := barrier.Settle(ctx, &c, func(ctx context.Context, tx *sql.Tx, _ *participant.Command) (participant.Outcome, error) {
			_, err := tx.ExecContext(ctx, `UPDATE stock SET free = free + 1 WHERE product = $1`, "cup")
			return participant.Succeeded{Result: map[string]int{"parcels": 1}}, err
		})
		if errors.Is(err, participant.ErrCompensated) {
			return nil // nothing was done, and nobody waits for an answer
		}
		if _, again := answer.(participant.Retry); again {
			return errors.New("the database was not to be had")
		}
		if callback, ok := participant.CallbackOf(&c); ok {
			return callback.Complete(ctx, answer)
		}
		return nil
	}
	_, _ = accept, settle
}

// An action whose answer comes later: ACCEPTED now, the callback when it is done.
func ExampleCallback_Complete() {
	coordinator := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println("called back:", string(body))
	}))
	defer coordinator.Close()
	done := make(chan error)
	p := participant.New("delivery-service", participant.Config{})
	p.HandleFunc("await_parcel", func(_ context.Context, c *participant.Command) participant.Outcome {
		callback, ok := participant.CallbackOf(c)
		if !ok {
			return participant.Refused{Code: "CALLBACK_REQUIRED", Message: "the answer comes later"}
		}
		go func() { // a real one keeps the promise in its database, to survive a restart
			done <- callback.Complete(context.Background(), participant.Succeeded{Result: map[string]int{"parcels": 1}})
		}()
		return participant.Accepted{}
	})
	c := &participant.Command{Command: coordination.Command{CommandID: "k-1", Action: "await_parcel", Direction: coordination.DirectionExecute,
		Callback: &coordination.Callback{URL: coordinator.URL + "/api/v1/callbacks/cbt_1", Token: "cbt_1"}}}
	fmt.Printf("%T\n", p.Do(context.Background(), c))
	fmt.Println(<-done)
	// Unordered output:
	// participant.Accepted
	// called back: {"outcome":"SUCCEEDED","result":{"parcels":1}}
	// <nil>
}
