package rest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"gopkg.in/yaml.v3"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

var update = flag.Bool("update", false, "write the OpenAPI documents anew")

// committed are the documents in the repository, by version.
var committed = map[string]string{OpenAPI31: "../../openapi/openapi.yaml", OpenAPI30: "../../openapi/openapi-3.0.yaml"}

func TestCommittedDocumentsAreUpToDate(t *testing.T) {
	for version, path := range committed {
		made, err := OpenAPI(version)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(made, kept) {
			t.Errorf("%s is stale; run go test ./rest -run Committed -update (%v)", path, err)
		}
	}
}

func TestUnknownVersionIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := OpenAPI("2.0"); err == nil {
		t.Error("made a document in version 2.0")
	}
}

// registered is the API as it is registered, without anything behind it.
func registered() *service {
	s := newService(Deps{})
	s.register(http.NewServeMux())
	return s
}

func treeOf(t *testing.T, version string) map[string]any {
	t.Helper()
	data, err := OpenAPI(version)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// walk calls visit for every value of a document, with its path.
func walk(value any, path string, visit func(path, name string, value any)) {
	switch v := value.(type) {
	case map[string]any:
		for name, child := range v {
			visit(path, name, child)
			walk(child, path+"/"+name, visit)
		}
	case []any:
		for i, child := range v {
			walk(child, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

func TestDocumentsAreSound(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{OpenAPI31: "3.1.0", OpenAPI30: "3.0.3"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			tree := treeOf(t, version)
			if tree["openapi"] != want {
				t.Errorf("openapi is %v", tree["openapi"])
			}
			schemas := at(tree, "components", "schemas")
			walk(tree, "", func(path, name string, value any) {
				ref, isText := value.(string)
				if name == "$ref" && isText && schemas[strings.TrimPrefix(ref, schemaPrefix)] == nil {
					t.Errorf("%s: %s leads nowhere", path, ref)
				}
			})
			checkOperations(t, tree)
		})
	}
}

var parameterInPath = regexp.MustCompile(`\{(\w+)\}`)

func checkOperations(t *testing.T, tree map[string]any) {
	t.Helper()
	seen := map[string]bool{}
	for path, item := range at(tree, "paths") {
		for method, value := range item.(map[string]any) {
			op := value.(map[string]any)
			id, _ := op["operationId"].(string)
			where := method + " " + path
			if id == "" || seen[id] {
				t.Errorf("%s: operationId %q is missing or used twice", where, id)
			}
			seen[id] = true
			if (op["security"] == nil) != access[id].open {
				t.Errorf("%s: security does not fit the access table", where)
			}
			for _, name := range parameterInPath.FindAllStringSubmatch(path, -1) {
				if !slices.ContainsFunc(asList(op["parameters"]), func(p any) bool {
					parameter := p.(map[string]any)
					return parameter["name"] == name[1] && parameter["in"] == "path" && parameter["required"] == true
				}) {
					t.Errorf("%s: path parameter %s is not described", where, name[1])
				}
			}
			checkResponses(t, where, at(op, "responses"))
		}
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// checkResponses wants a description everywhere and the envelope on every error.
func checkResponses(t *testing.T, where string, responses map[string]any) {
	t.Helper()
	good := 0
	for status, value := range responses {
		response := value.(map[string]any)
		if response["description"] == "" || response["description"] == nil {
			t.Errorf("%s %s: no description", where, status)
		}
		if status < "400" {
			good++
			continue
		}
		ref := schemaLink(at(response, "content", contentTypeJSON, "schema"))
		health := strings.HasSuffix(where, "/health") && status == "503" && ref == "Health"
		if ref != "ErrorEnvelope" && !health {
			t.Errorf("%s %s: the body is %q, not the envelope", where, status, ref)
		}
	}
	if good == 0 || responses["500"] == nil || responses["default"] != nil {
		t.Errorf("%s: responses are %v", where, slices.Sorted(maps.Keys(responses)))
	}
}

func TestVersion30HasNothingOfVersion31(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, OpenAPI30)
	walk(tree, "", func(path, name string, value any) {
		inExample := strings.Contains(path, "/example")
		inProperties := strings.HasSuffix(path, "/properties")
		if inExample || inProperties {
			return
		}
		_, list := value.([]any)
		switch {
		case name == "examples" && list, name == "type" && list, name == "const", name == "webhooks", name == "$schema", name == "identifier",
			name == "contentEncoding", name == "patternProperties":
			t.Errorf("%s/%s is not of version 3.0", path, name)
		}
	})
}

func TestEverythingOfTheReferenceIsThere(t *testing.T) {
	t.Parallel()
	paths := at(treeOf(t, OpenAPI31), "paths")
	for _, route := range []string{
		"post /workflows/order/start", "get /workflows/{workflowId}/status", "post /workflows/{workflowId}/cancel",
		"post /workflows/{workflowId}/retry", "get /workflows/active", "get /workflows/metrics", "get /sagas/{sagaId}",
		"post /sagas/{sagaId}/compensate", "get /workflow-templates", "get /health",
		"post /workflows/return/start", "post /workflows/replenishment/start", "post /workflows/start", "get /workflows",
		"get /workflows/{workflowId}/events", "get /workflows/{workflowId}/stream", "get /workflow-templates/{templateId}",
		"post /callbacks/{token}", "post /callbacks/{token}/heartbeat",
		"post /webhooks", "get /webhooks", "get /webhooks/{webhookId}", "patch /webhooks/{webhookId}", "delete /webhooks/{webhookId}",
		"post /webhooks/{webhookId}/rotate-secret", "get /webhooks/{webhookId}/deliveries",
		"post /webhooks/{webhookId}/deliveries/{deliveryId}/redeliver", "post /webhooks/{webhookId}/recover",
	} {
		method, path, _ := strings.Cut(route, " ")
		if at(paths, path, method)["operationId"] == nil {
			t.Errorf("%s is missing", route)
		}
	}
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	s := registered()
	doc := s.api.OpenAPI()
	check := func(where string, media *huma.MediaType) {
		if media == nil || media.Example == nil {
			return
		}
		result := &huma.ValidateResult{}
		huma.Validate(doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, media.Example, result)
		for _, err := range result.Errors {
			t.Errorf("%s: %v", where, err)
		}
	}
	operations := operationsOf(doc)
	if found := len(operations); found != len(access) {
		t.Errorf("%d operations and %d rows of the access table", found, len(access))
	}
	for _, op := range append(operations, doc.Webhooks["event"].Post) {
		if op.RequestBody != nil {
			check(op.OperationID+" request", op.RequestBody.Content[contentTypeJSON])
			if len(op.RequestBody.Content) != 1 || op.RequestBody.Content[contentTypeJSON].Example == nil {
				t.Errorf("%s: a request must be JSON only and have an example", op.OperationID)
			}
		}
		for status, response := range op.Responses {
			check(op.OperationID+" "+status, response.Content[contentTypeJSON])
		}
	}
}

func TestExampleFilesAreUsedAndDecode(t *testing.T) {
	t.Parallel()
	types := map[string]any{
		"order-request": &coordination.OrderRequest{}, "order-started": &coordination.StartedWorkflow{},
		"workflow-status": &coordination.WorkflowStatus{}, "saga": &coordination.Saga{}, "metrics": &coordination.Metrics{},
		"active-list": &coordination.WorkflowList{}, "template-list": &coordination.TemplateList{}, "health": &coordination.Health{},
		"cancel-response": &coordination.CancelResponse{}, "error": &coordination.ErrorEnvelope{},
		"webhook-request": &coordination.WebhookRequest{}, "webhook-created": &coordination.Webhook{}, "webhook-list": &coordination.WebhookList{},
		"webhook-update": &coordination.WebhookUpdate{}, "rotated-secret": &coordination.RotatedSecret{}, "delivery-list": &coordination.DeliveryList{},
		"webhook-payload": &coordination.WebhookPayload{},
	}
	for name, target := range types {
		data, err := exampleFiles.ReadFile("examples/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(target); err != nil {
			t.Errorf("%s: the wire type %s does not read it: %v", name, reflect.TypeOf(target), err)
		}
	}
	files, err := exampleFiles.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, places := range examples {
		for _, name := range places {
			used[name+".json"] = true
		}
	}
	for _, file := range files {
		if !used[file.Name()] {
			t.Errorf("example %s is used nowhere", file.Name())
		}
	}
}

// TestEventsOfWebhooksAreThoseThatAreTold: the wire types name them in tags.
func TestEventsOfWebhooksAreThoseThatAreTold(t *testing.T) {
	t.Parallel()
	var told []any
	for _, name := range domain.Announcements(false) {
		told = append(told, string(name))
	}
	schemas := at(treeOf(t, OpenAPI31), "components", "schemas")
	for schema, path := range map[string][]string{"WebhookRequest": {"events", "items"}, "WebhookUpdate": {"events", "items"}, "WebhookPayload": {"event"}} {
		if got := asList(at(schemas, append([]string{schema, "properties"}, path...)...)["enum"]); !slices.Equal(got, told) {
			t.Errorf("%s allows %v, told are %v", schema, got, told)
		}
	}
}

func TestEveryDocumentedErrorHasAMessage(t *testing.T) {
	t.Parallel()
	walk(treeOf(t, OpenAPI31), "", func(path, name string, value any) {
		if name == "message" && strings.HasSuffix(path, "/example/error") && value == "" {
			t.Errorf("%s: the example has no message", path)
		}
	})
}
