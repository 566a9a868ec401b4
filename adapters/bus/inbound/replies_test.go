package inbound_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// engine takes replies and answers what the test wants.
type engine struct {
	commandID string
	answer    domain.Answer
	err       error
}

func (e *engine) Reply(_ context.Context, commandID string, a domain.Answer) error {
	e.commandID, e.answer = commandID, a
	return e.err
}

const replyEvent = `{"specversion":"1.0","id":"r-1","source":"/payment","type":"com.firstviscount.coordination.reply.v1",
"data":{"commandId":"saga-1:1:PAY:execute","attempt":2,"outcome":"SUCCEEDED","result":{"paymentId":"p-1"}}}`

func handle(e *engine, body string) error {
	r := inbound.Replies{To: e, Logger: slog.New(slog.DiscardHandler)}
	return r.Handle(context.Background(), ports.Message{ID: "m", Body: []byte(body)})
}

func TestAReplyReachesItsCommand(t *testing.T) {
	t.Parallel()
	var e engine
	if err := handle(&e, replyEvent); err != nil {
		t.Fatal(err)
	}
	if e.commandID != "saga-1:1:PAY:execute" || e.answer.Attempt != 2 || e.answer.Outcome != domain.Succeeded || string(e.answer.Result) != `{"paymentId":"p-1"}` {
		t.Errorf("command %q, answer %+v", e.commandID, e.answer)
	}
}

func TestWhatIsDoneWithAReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		err    error
		poison bool
		again  bool
	}{
		{name: "taken"},
		{name: "too late", err: domain.ErrNotWaiting},
		{name: "a second, other answer", err: domain.ErrOtherAnswer},
		{name: "no such command", err: domain.ErrUnknownCommand, poison: true},
		{name: "the store is down", err: ports.ErrUnavailable, again: true},
		{name: "too much to do", err: ports.ErrOverloaded, again: true},
		{name: "shutting down", err: ports.ErrClosed, again: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := handle(&engine{err: c.err}, replyEvent)
			if got := ports.IsPoison(err); got != c.poison {
				t.Errorf("poison %t: %v", got, err)
			}
			if c.again && !errors.Is(err, c.err) || !c.again && !c.poison && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAReplyThatCannotBeReadIsPoison(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, names string }{
		"not JSON":             {`]`, "CloudEvent"},
		"no version":           {`{"id":"a","source":"/b","type":"t","data":{}}`, "specversion"},
		"another version":      {strings.Replace(replyEvent, `"1.0"`, `"0.3"`, 1), "specversion"},
		"no id":                {strings.Replace(replyEvent, `"r-1"`, `""`, 1), "id"},
		"no source":            {strings.Replace(replyEvent, `"/payment"`, `""`, 1), "source"},
		"another type":         {strings.Replace(replyEvent, "reply.v1", "reply.v9", 1), "type"},
		"no data":              {`{"specversion":"1.0","id":"a","source":"/b","type":"com.firstviscount.coordination.reply.v1"}`, "data"},
		"data is no object":    {`{"specversion":"1.0","id":"a","source":"/b","type":"com.firstviscount.coordination.reply.v1","data":[]}`, "data"},
		"no command":           {strings.Replace(replyEvent, `"commandId":"saga-1:1:PAY:execute",`, ``, 1), "commandId"},
		"no outcome":           {strings.Replace(replyEvent, `"outcome":"SUCCEEDED",`, ``, 1), "outcome"},
		"an unknown outcome":   {strings.Replace(replyEvent, `SUCCEEDED`, `DONE`, 1), "outcome"},
		"a member given twice": {strings.Replace(replyEvent, `"attempt":2`, `"attempt":2,"outcome":"REJECTED"`, 1), "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &engine{}
			err := handle(e, c.body)
			if !ports.IsPoison(err) || !strings.Contains(err.Error(), c.names) || e.commandID != "" {
				t.Errorf("got %v, want poison that names %s; the engine got %q", err, c.names, e.commandID)
			}
		})
	}
}

func TestTheReasonOfPoisonDoesNotQuoteTheMessage(t *testing.T) {
	t.Parallel()
	const canary = "tok_canary_4242"
	for _, body := range []string{canary, `{"specversion":"` + canary + `"}`, strings.Replace(replyEvent, "SUCCEEDED", canary, 1),
		strings.Replace(replyEvent, "reply.v1", canary, 1)} {
		if err := handle(&engine{}, body); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}
