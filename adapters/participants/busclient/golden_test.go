package busclient_test

import (
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/internal/goldentest"
	"github.com/firstviscount/platform-coordination/adapters/participants/busclient"
	"github.com/firstviscount/platform-coordination/domain"
)

func TestACommandIsPublishedAsTheGoldenOne(t *testing.T) {
	t.Parallel()
	var l line
	cmd, callbacks := goldentest.Dispatch(t, "command")
	c := busclient.New(&l, busclient.Config{Service: cmd.Service, CallbackBaseURL: callbacks})
	if a := c.Send(t.Context(), cmd); a.Outcome != domain.Sent {
		t.Fatalf("outcome %s", a.Outcome)
	}
	goldentest.Same(t, "event-command", l.messages[0].Body)
}
