package wiring_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/adapters/bus"
	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/adapters/bus/kafka"
	"github.com/firstviscount/platform-coordination/adapters/bus/nats"
	"github.com/firstviscount/platform-coordination/adapters/bus/postgres"
	"github.com/firstviscount/platform-coordination/adapters/bus/rabbitmq"
	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

var busDoc = filepath.Join("..", "..", "docs", "message-bus.md")

// TestTheBusIsDocumentedAsItIs holds the numbers and names that integrators
// build on to the code.
func TestTheBusIsDocumentedAsItIs(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(read(t, busDoc)), " ")
	for _, fact := range []string{
		"`" + coordination.TopicCommands("<service>") + "`", "`" + coordination.TopicReplies + "`", "`" + coordination.TopicEvents + "`",
		"`" + coordination.TopicRequests + "`", "`" + coordination.TopicQuarantine + "`",
		"`" + ports.HeaderPoisonReason + "`", "`" + ports.HeaderPoisonTopic + "`", "`" + ports.HeaderPoisonGroup + "`",
		"`" + coordination.ContentTypeCloudEvent + "`",
		fmt.Sprintf("a message at most %d bytes (%d KiB)", ports.MaxMessageBytes, ports.MaxMessageBytes>>10),
		fmt.Sprintf("`type` have at most %d characters", cloudevents.MaxAttributeLength),
		fmt.Sprintf("comes again after %.0f seconds", engine.RepeatAfter.Seconds()),
		fmt.Sprintf("after %d ms and then after twice as long each time, up to %.0f seconds", bus.FirstPause.Milliseconds(), bus.MaxPause.Seconds()),
		fmt.Sprintf("Topics have up to %d characters", bus.MaxTopicLength),
		fmt.Sprintf("up to %d headers of at most %d bytes", bus.MaxHeaders, bus.MaxHeaderValueLength),
		fmt.Sprintf("one group, `%s`", inbound.Group),
		fmt.Sprintf("%.0f days, 5,000,000 messages", nats.MaxAge.Hours()/24),
		fmt.Sprintf("made with %d partitions", kafka.Partitions),
		fmt.Sprintf("Kafka | %.0f days |", kafka.MaxAge.Hours()/24),
		fmt.Sprintf("5,000,000 messages or %d GiB", rabbitmq.MaxQueueBytes>>30),
		fmt.Sprintf("%.0f days, about 5,000,000 messages | %d connections for each process", postgres.MaxAge.Hours()/24, postgres.Connections+1),
	} {
		if !strings.Contains(text, fact) {
			t.Errorf("docs/message-bus.md does not say %q", fact)
		}
	}
	if nats.MaxMessages != 5_000_000 || rabbitmq.MaxQueueMessages != 5_000_000 || postgres.MaxMessages != 5_000_000 {
		t.Error("docs/message-bus.md says 5,000,000 messages of every broker that counts them")
	}
}
