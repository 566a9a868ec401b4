package inbound_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// caller asks over the bus and sees what the API was asked, and what was answered.
type caller struct {
	status    int // of the API
	asked     []string
	key       string
	published []ports.Message
	topics    []string
	fault     error // of publishing
}

func (c *caller) Publish(_ context.Context, topic string, m ports.Message) error {
	if c.fault != nil {
		return c.fault
	}
	c.topics, c.published = append(c.topics, topic), append(c.published, m)
	return nil
}

func (c *caller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.asked = append(c.asked, r.Method+" "+r.URL.Path+" "+string(body))
	c.key = r.Header.Get("X-Idempotency-Key")
	w.WriteHeader(c.status)
	_, _ = io.WriteString(w, `{"workflowId":"wf-1"}`)
}

func (c *caller) ask(replyTo, data string) error {
	r := inbound.Requests{API: c, BasePath: "/api/v1", Bus: c, Logger: slog.New(slog.DiscardHandler)}
	e := fmt.Sprintf(`{"specversion":"1.0","id":"req-1","source":"/shop","type":%q,"replyto":%q,"data":%s}`, coordination.TypeRequest, replyTo, data)
	return r.Handle(context.Background(), ports.Message{ID: "m", Body: []byte(e)})
}

func TestARequestIsWhatTheAPIIsAsked(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"operation":"START","type":"ORDER_FULFILLMENT","body":{"orderId":"o"}}`: `POST /api/v1/workflows/order/start {"orderId":"o"}`,
		`{"operation":"START","type":"RETURN_PROCESSING","body":{}}`:              `POST /api/v1/workflows/return/start {}`,
		`{"operation":"START","type":"INVENTORY_REPLENISHMENT","body":{}}`:        `POST /api/v1/workflows/replenishment/start {}`,
		`{"operation":"START","type":"GIFT_CARD","body":{"type":"GIFT_CARD"}}`:    `POST /api/v1/workflows/start {"type":"GIFT_CARD"}`,
		`{"operation":"CANCEL","workflowId":"wf-1","body":{"reason":"R"}}`:        `POST /api/v1/workflows/wf-1/cancel {"reason":"R"}`,
		`{"operation":"RETRY","workflowId":"wf-1"}`:                               `POST /api/v1/workflows/wf-1/retry {}`,
		`{"operation":"COMPENSATE","sagaId":"saga-1","body":{"reason":"R"}}`:      `POST /api/v1/sagas/saga-1/compensate {"reason":"R"}`,
	} {
		c := &caller{status: http.StatusAccepted}
		if err := c.ask("shop.answers", data); err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		if c.asked[0] != want {
			t.Errorf("%s:\n got %s\nwant %s", data, c.asked[0], want)
		}
	}
}

func TestTheAnswerGoesWhereTheCallerSays(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 202, 400, 404, 409, 422} {
		c := &caller{status: status}
		if err := c.ask("coordination.answers.shop", `{"operation":"RETRY","workflowId":"wf-1"}`); err != nil {
			t.Fatal(err)
		}
		var e coordination.CloudEvent
		var a coordination.BusAnswer
		if err := json.Unmarshal(c.published[0].Body, &e); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(e.Data, &a); err != nil {
			t.Fatal(err)
		}
		if c.topics[0] != "coordination.answers.shop" || e.Type != coordination.TypeAnswer || a.RequestID != "req-1" || a.Status != status || string(a.Body) != `{"workflowId":"wf-1"}` {
			t.Errorf("on %s: %+v, %+v", c.topics[0], e, a)
		}
	}
}

func TestARepeatedRequestHasTheSameKeyAndAnswerID(t *testing.T) {
	t.Parallel()
	c := &caller{status: 202}
	var keys []string
	for range 2 {
		if err := c.ask("shop.answers", `{"operation":"RETRY","workflowId":"wf-1"}`); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, c.key)
	}
	if keys[0] != keys[1] || len(keys[0]) != 64 || c.published[0].ID != c.published[1].ID {
		t.Errorf("keys %v, answers %s and %s", keys, c.published[0].ID, c.published[1].ID)
	}
}

func TestWhatCannotBeServedNowComesAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 502, 503, 504} {
		c := &caller{status: status}
		if err := c.ask("shop.answers", `{"operation":"RETRY","workflowId":"wf-1"}`); err == nil || ports.IsPoison(err) || len(c.published) > 0 {
			t.Errorf("%d: %v, %d answers", status, err, len(c.published))
		}
	}
	c := &caller{status: 202, fault: ports.ErrBusDown}
	if err := c.ask("shop.answers", `{"operation":"RETRY","workflowId":"wf-1"}`); err == nil || ports.IsPoison(err) {
		t.Errorf("the answer could not be published: %v", err)
	}
}

func TestRequestsThatArePoison(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status               int
		replyTo, data, names string
	}{
		{202, "", `{"operation":"STOP"}`, "operation"},
		{202, "", `{"operation":"CANCEL"}`, "workflowId"},
		{202, "", `{"operation":"RETRY"}`, "workflowId"},
		{202, "", `{"operation":"CANCEL","workflowId":"../../health"}`, "workflowId"},
		{202, "", `{"operation":"COMPENSATE","workflowId":"wf-1"}`, "sagaId"},
		{202, "", `{"operation":"RETRY","workflowId":"wf-1","wrkflow":1}`, "data"},
		{202, "coordination.replies", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, "coordination.commands.payment-service", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, "coordination.answers.", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, "a b", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, "shop..answers", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, "shop.", `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{202, strings.Repeat("a", 201), `{"operation":"RETRY","workflowId":"wf-1"}`, "replyto"},
		{422, "", `{"operation":"RETRY","workflowId":"wf-1"}`, "422"},
		{500, "shop.answers", `{"operation":"RETRY","workflowId":"wf-1"}`, "internal error"},
	} {
		to := &caller{status: c.status}
		err := to.ask(c.replyTo, c.data)
		if c.names == "replyto" && len(to.asked) > 0 {
			t.Errorf("%s to %q was done although it cannot be answered", c.data, c.replyTo)
		}
		if !ports.IsPoison(err) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s to %q with %d: %v, want poison that names %s", c.data, c.replyTo, c.status, err, c.names)
		}
	}
}

// What a bus will never take would otherwise be tried for ever.
func TestAnAnswerThatTheBusRefusesMakesTheRequestPoison(t *testing.T) {
	t.Parallel()
	c := &caller{status: 202, fault: fmt.Errorf("%w: a reserved topic", ports.ErrMessageRefused)}
	if err := c.ask("amq.answers", `{"operation":"RETRY","workflowId":"wf-1"}`); !ports.IsPoison(err) || !strings.Contains(err.Error(), "replyto") {
		t.Errorf("got %v, want poison that names replyto", err)
	}
}

func TestAcceptedRequestsNeedNoAnswer(t *testing.T) {
	t.Parallel()
	c := &caller{status: 202}
	if err := c.ask("", `{"operation":"RETRY","workflowId":"wf-1"}`); err != nil || len(c.published) > 0 {
		t.Errorf("%v, %d answers", err, len(c.published))
	}
}
