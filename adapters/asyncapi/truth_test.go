package asyncapi_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rabbitmq/amqp091-go"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/firstviscount/platform-coordination/adapters/bus/inbound"
	"github.com/firstviscount/platform-coordination/adapters/bus/kafka"
	"github.com/firstviscount/platform-coordination/adapters/cloudevents"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// constants are the texts of a package's constants whose names begin so.
func constants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
				return true
			}
			if text, ok := spec.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				found[spec.Names[0].Name], _ = strconv.Unquote(text.Value)
			}
			return true
		})
	}
	return found
}

// TestNothingThatTravelsIsLeftOut finds the types of events and the topics in the
// source of the SDK, so that a new one needs a message, an example and a channel.
func TestNothingThatTravelsIsLeftOut(t *testing.T) {
	t.Parallel()
	tree := document(t)
	described, examples := map[string]bool{}, map[string]bool{}
	for _, m := range find(tree, "#/components/messages").(map[string]any) {
		described[fmt.Sprint(m.(map[string]any)["name"])] = true
	}
	for _, name := range golden.Names() {
		var e coordination.CloudEvent
		if strings.HasPrefix(name, "event") && json.Unmarshal(golden.Message(name), &e) == nil {
			examples[e.Type] = true
		}
	}
	sdk := filepath.Join("..", "..", "sdk", "coordination")
	types := 0
	for name, value := range constants(t, sdk, "Type") {
		if !strings.HasPrefix(value, "com.firstviscount.") {
			continue
		}
		types++
		if !described[value] || !examples[value] {
			t.Errorf("%s: described %t, golden %t", name, described[value], examples[value])
		}
	}
	addresses := map[string]bool{}
	for _, c := range tree["channels"].(map[string]any) {
		addresses[fmt.Sprint(c.(map[string]any)["address"])] = true
	}
	topics := constants(t, sdk, "Topic")
	for name, value := range topics {
		if !addresses[value] {
			t.Errorf("%s: no channel has the address %s", name, value)
		}
	}
	if types != 5 || len(topics) != 4 {
		t.Errorf("found %d types and %d topics in the source, not 5 and 4", types, len(topics))
	}
}

// schemaAt is a schema in the document.
func schemaAt(t *testing.T, tree map[string]any, path string) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("asyncapi.json", value(t, text)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("asyncapi.json#/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestHeadersAreThoseThatTravel gives the headers that the code makes for golden
// events to the schemas of the document.
func TestHeadersAreThoseThatTravel(t *testing.T) {
	t.Parallel()
	tree := document(t)
	for message, name := range map[string]string{"command": "event-command", "event": "event-workflow", "answer": "event-answer"} {
		var e coordination.CloudEvent
		if err := json.Unmarshal(golden.Message(name), &e); err != nil {
			t.Fatal(err)
		}
		m, err := cloudevents.Message(e)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(m.Headers)
		if err != nil {
			t.Fatal(err)
		}
		headers := "components/messages/" + message + "/headers"
		s := schemaAt(t, tree, headers)
		if err := s.Validate(value(t, text)); err != nil {
			t.Errorf("%s: %v", message, err)
		}
		if s.Validate(map[string]any{"content-type": "text/plain", "traceparent": e.TraceParent}) == nil {
			t.Errorf("%s: any content type is taken", message)
		}
		known := find(tree, "#/"+headers+"/properties").(map[string]any)
		for header := range m.Headers {
			if known[header] == nil {
				t.Errorf("%s: the document does not tell of the header %s", message, header)
			}
		}
	}
}

// TestBindingsAreWhatTheAdaptersDo compares the words for brokers with the code for them.
func TestBindingsAreWhatTheAdaptersDo(t *testing.T) {
	t.Parallel()
	tree := document(t)
	for name, c := range tree["channels"].(map[string]any) {
		channel := c.(map[string]any)
		if channel["address"] == nil {
			continue
		}
		k := find(channel, "#/bindings/kafka").(map[string]any)
		retention := find(k, "#/topicConfiguration/retention.ms")
		if k["topic"] != channel["address"] || k["partitions"] != kafka.Partitions || retention != int(kafka.MaxAge.Milliseconds()) {
			t.Errorf("%s: %v", name, k)
		}
		if exchange := find(channel, "#/bindings/amqp/exchange").(map[string]any); exchange["name"] != channel["address"] || exchange["type"] != amqp091.ExchangeFanout {
			t.Errorf("%s: %v", name, exchange)
		}
	}
	for operation, s := range map[string]ports.Subscription{"receiveReply": (&inbound.Replies{}).Subscription(), "receiveRequest": (&inbound.Requests{}).Subscription()} {
		if group := find(tree, "#/operations/"+operation+"/bindings/kafka/groupId/const"); group != s.Group+"."+s.Topic {
			t.Errorf("%s: group %v", operation, group)
		}
	}
	if mode := find(tree, "#/operations/sendCommand/bindings/amqp/deliveryMode"); mode != int(amqp091.Persistent) {
		t.Errorf("delivery mode %v", mode)
	}
}

// TestWhoSendsWhat is the point of view of the coordinator, and where answers go.
func TestWhoSendsWhat(t *testing.T) {
	t.Parallel()
	tree := document(t)
	operations := tree["operations"].(map[string]any)
	for name, want := range map[string]string{
		"sendCommand": "send commands", "receiveReply": "receive replies", "publishEvent": "send events",
		"receiveRequest": "receive requests", "quarantineMessage": "send quarantine",
	} {
		o, _ := operations[name].(map[string]any)
		if got := fmt.Sprint(o["action"], " ", strings.TrimPrefix(fmt.Sprint(find(o, "#/channel/$ref")), "#/channels/")); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if len(operations) != 5 {
		t.Errorf("%d operations", len(operations))
	}
	if got := find(tree, "#/operations/receiveRequest/reply/address/location"); got != "$message.payload#/replyto" {
		t.Errorf("a request is answered at %v", got)
	}
	for _, message := range []string{"command", "reply", "request", "answer"} {
		location := fmt.Sprint(find(tree, "#/components/messages/"+message+"/correlationId/location"))
		example := find(tree, "#/components/messages/"+message).(map[string]any)["examples"].([]any)[0].(map[string]any)["payload"]
		if at, _ := strings.CutPrefix(location, "$message.payload"); find(example, at) == nil {
			t.Errorf("%s: the example has nothing at %s", message, location)
		}
	}
}
