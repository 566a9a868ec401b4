package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// exampleSecret is shared with the coordinator; a real one comes from the
// answer to the subscription, once.
const exampleSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A receiver of webhooks, and a delivery to it as a test makes one.
func ExampleHandler() {
	secret, err := webhook.ParseSecret(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	seen := map[string]bool{} // a real one is a table, written with what the event leads to
	server := httptest.NewServer(&webhook.Handler{
		Secrets: []webhook.Secret{secret},
		Handle: func(_ context.Context, e webhook.Event) error {
			if !seen[e.ID] {
				seen[e.ID] = true
				fmt.Println("handled:", e.Event)
			}
			return nil
		},
	})
	defer server.Close()
	for range 2 { // the first answer may be lost
		r, err := webhook.NewRequest(context.Background(), server.URL, webhook.Event{ID: "evt-1", Event: "workflow.completed", Timestamp: time.Now()}, secret)
		if err != nil {
			fmt.Println(err)
			return
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		response.Body.Close()
		fmt.Println(response.StatusCode)
	}
	// Output:
	// handled: workflow.completed
	// 204
	// 204
}

// Two secrets while one takes the place of the other: whoever knows one of them
// verifies.
func ExampleVerify_rotation() {
	before, _ := webhook.NewSecret([]byte("the secret before: 24 bytes"))
	after, _ := webhook.NewSecret([]byte("the secret after: 24 bytes!"))
	body := []byte(`{"id":"evt-1","event":"workflow.completed","data":{}}`)
	header, now := http.Header{}, time.Now()
	webhook.SetHeaders(header, "evt-1", now, body, before, after)
	fmt.Println(webhook.Verify(header, body, now, before))
	fmt.Println(webhook.Verify(header, body, now, after))
	fmt.Println(webhook.Verify(header, append(body, ' '), now, after))
	// Output:
	// <nil>
	// <nil>
	// no signature of the request matches
}
