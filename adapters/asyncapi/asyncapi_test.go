package asyncapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/adapters/asyncapi"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
	"github.com/firstviscount/platform-coordination/sdk/golden"
)

// schemaOf is the file of the schema of each kind of golden message.
func schemaOf(t *testing.T, name string) string {
	t.Helper()
	switch {
	case strings.HasPrefix(name, "command"):
		return "participant-command.json"
	case strings.HasPrefix(name, "answer"):
		return "participant-answer.json"
	case strings.HasPrefix(name, "event-request"):
		return "request.json"
	case name == "event-workflow":
		return "event.json"
	case strings.HasPrefix(name, "webhook"):
		return "webhook.json"
	case strings.HasPrefix(name, "event-"):
		return strings.TrimPrefix(name, "event-") + ".json"
	}
	t.Fatalf("golden message %s: of no known kind", name)
	return ""
}

// compiled are the schemas, by file name.
func compiled(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := asyncapi.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	all := map[string]*jsonschema.Schema{}
	for name, text := range files {
		if err := c.AddResource(name, value(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	for name := range files {
		s, err := c.Compile(name)
		if err != nil {
			t.Fatalf("%s is no JSON Schema: %v", name, err)
		}
		all[name] = s
	}
	return all
}

func value(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGoldenMessagesKeepTheirSchemas(t *testing.T) {
	t.Parallel()
	schemas := compiled(t)
	unused := map[string]bool{}
	for name := range schemas {
		unused[name] = true
	}
	for _, name := range golden.Names() {
		file := schemaOf(t, name)
		delete(unused, file)
		if err := schemas[file].Validate(value(t, golden.Message(name))); err != nil {
			t.Errorf("golden message %s: %v", name, err)
		}
	}
	for file := range unused {
		t.Errorf("no golden message has the schema %s", file)
	}
}

// wrong are golden messages with one member changed, or taken away.
var wrong = []struct{ name, path, becomes string }{
	{"event-command", "specversion", `"0.3"`},
	{"event-command", "id", ``},
	{"event-command", "id", `""`},
	{"event-command", "source", ``},
	{"event-command", "type", `"com.firstviscount.coordination.reply.v1"`},
	{"event-command", "data", ``},
	{"event-command", "data.commandId", ``},
	{"event-command", "data.direction", `"SIDEWAYS"`},
	{"event-command", "data.attempt", `"1"`},
	{"event-command", "data.deadline", `"tomorrow"`},
	{"event-command", "data.parameters", `[]`},
	{"event-reply", "data.commandId", ``},
	{"event-reply", "data.outcome", ``},
	{"event-reply", "data.outcome", `"DONE"`},
	{"event-reply", "data.result", `"x"`},
	{"event-reply", "data.retryAfter", `"5s"`},
	{"event-workflow", "data.sequence", `"2"`},
	{"event-workflow", "data.workflowId", ``},
	{"event-request-start", "data.operation", `"BEGIN"`},
	{"event-request-start", "data.body", `7`},
	{"event-request-start", "data.body", ``},
	{"event-request-start", "data.body.orderId", ``},
	{"event-request-start", "data.body.ordrId", `"x"`},
	{"event-request-start", "data.body.items", `[]`},
	{"event-request-start", "data.type", `"RETURN_PROCESSING"`},
	{"event-request-start", "data.type", `"GIFT_CARD"`},
	{"event-request-start", "data.workflow", `"x"`},
	{"event-request-cancel", "data.workflowId", ``},
	{"event-request-cancel", "data.body.reason", ``},
	{"event-request-retry", "data.workflowId", ``},
	{"event-request-compensate", "data.sagaId", ``},
	{"event-request-cancel", "replyto", `"coordination.replies"`},
	{"event-request-cancel", "replyto", `"coordination.answers."`},
	{"event-request-cancel", "replyto", `"a b"`},
	{"event-answer", "data.status", ``},
	{"event-answer", "data.requestId", ``},
	{"command", "commandId", ``},
	{"answer-rejected", "error.code", ``},
	{"webhook-step-completed", "id", ``},
	{"webhook-step-completed", "event", `""`},
	{"webhook-step-completed", "timestamp", `"today"`},
	{"webhook-step-completed", "data", `[]`},
	{"webhook-step-completed", "signature", ``},
	{"webhook-step-completed", "signature", `"sha256=abc"`},
}

func TestWrongMessagesBreakTheirSchemas(t *testing.T) {
	t.Parallel()
	schemas := compiled(t)
	for _, w := range wrong {
		if schemas[schemaOf(t, w.name)].Validate(changed(t, w.name, w.path, w.becomes)) == nil {
			t.Errorf("%s with %s = %q keeps the schema", w.name, w.path, w.becomes)
		}
	}
}

// changed is a golden message with one member changed, or taken away.
func changed(t *testing.T, name, where, becomes string) any {
	t.Helper()
	var message map[string]any
	if err := json.Unmarshal(golden.Message(name), &message); err != nil {
		t.Fatal(err)
	}
	at, path := message, strings.Split(where, ".")
	for _, member := range path[:len(path)-1] {
		at = at[member].(map[string]any)
	}
	last := path[len(path)-1]
	if becomes == "" {
		delete(at, last)
	} else {
		at[last] = json.RawMessage(becomes)
	}
	text, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return value(t, text)
}

// TestOtherRightMessagesKeepTheirSchemas: what the code takes the schemas take.
func TestOtherRightMessagesKeepTheirSchemas(t *testing.T) {
	t.Parallel()
	schemas := compiled(t)
	for _, right := range []struct{ name, path, becomes string }{
		{"event-command", "data.somethingNew", `1`},
		{"event-command", "somethingnew", `"x"`},
		{"event-command", "tracestate", `"a=b"`},
		{"event-command", "data.callback", ``},
		{"event-reply", "data.attempt", ``},
		{"event-reply", "data.error", `{"code":"A","message":"b","more":1}`},
		{"event-reply", "traceparent", ``},
		{"event-workflow", "data.event", `"SOMETHING_NEW"`},
		{"event-request-retry", "data.body", ``},
		{"event-request-cancel", "replyto", ``},
		{"event-request-cancel", "replyto", `"shop.answers"`},
		{"event-request-start", "data", `{"operation":"START","body":{"type":"GIFT_CARD","businessKey":"g-1","input":{}}}`},
		{"event-request-start", "data", `{"operation":"START","type":"GIFT_CARD","body":{"type":"GIFT_CARD","businessKey":"g-1","input":{}}}`},
		{"answer-succeeded", "outcome", ``},
		{"webhook-step-completed", "somethingNew", `1`},
	} {
		if err := schemas[schemaOf(t, right.name)].Validate(changed(t, right.name, right.path, right.becomes)); err != nil {
			t.Errorf("%s with %s = %q: %v", right.name, right.path, right.becomes, err)
		}
	}
}

// document is the AsyncAPI document as a tree.
func document(t *testing.T) map[string]any {
	t.Helper()
	text, err := asyncapi.Document([]string{"payment-service"})
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// references calls do for every $ref below v.
func references(v any, do func(ref string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			do(ref)
		}
		for _, member := range v {
			references(member, do)
		}
	case []any:
		for _, element := range v {
			references(element, do)
		}
	}
}

func find(tree any, ref string) any {
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := tree.(map[string]any)
		tree = m[name]
	}
	return tree
}

func TestEveryReferenceOfTheDocumentLeadsSomewhere(t *testing.T) {
	t.Parallel()
	tree, n := document(t), 0
	references(tree, func(ref string) {
		n++
		if find(tree, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	if n < 20 {
		t.Errorf("only %d references", n)
	}
}

func TestTheDocumentHasEveryTopicAndEveryType(t *testing.T) {
	t.Parallel()
	tree := document(t)
	var addresses, types []string
	for _, c := range tree["channels"].(map[string]any) {
		addresses = append(addresses, fmt.Sprint(c.(map[string]any)["address"]))
	}
	for _, m := range find(tree, "#/components/messages").(map[string]any) {
		types = append(types, fmt.Sprint(m.(map[string]any)["name"]))
	}
	for _, topic := range []string{coordination.TopicCommands("{service}"), coordination.TopicReplies, coordination.TopicEvents,
		coordination.TopicRequests, coordination.TopicQuarantine} {
		if !slices.Contains(addresses, topic) {
			t.Errorf("no channel %s among %v", topic, addresses)
		}
	}
	for _, name := range []string{coordination.TypeCommand, coordination.TypeReply, coordination.TypeEvent, coordination.TypeRequest, coordination.TypeAnswer} {
		if !slices.Contains(types, name) {
			t.Errorf("no message %s among %v", name, types)
		}
	}
}

// TestTheExamplesOfTheDocumentKeepItsSchemas validates each example against the
// payload beside it.
func TestTheExamplesOfTheDocumentKeepItsSchemas(t *testing.T) {
	t.Parallel()
	tree := document(t)
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("asyncapi.json", value(t, text)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, m := range find(tree, "#/components/messages").(map[string]any) {
		examples, _ := m.(map[string]any)["examples"].([]any)
		for _, example := range examples {
			n++
			s, err := c.Compile("asyncapi.json#/components/messages/" + name + "/payload")
			if err != nil {
				t.Fatal(err)
			}
			payload, err := json.Marshal(example.(map[string]any)["payload"])
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(value(t, payload)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d examples", n)
	}
}
