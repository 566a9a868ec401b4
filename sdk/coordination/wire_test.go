package coordination_test

import (
	"bytes"
	"embed"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

//go:embed testdata/*.json
var testdata embed.FS

// documents names every file in testdata with the type it is the wire form of.
var documents = map[string]any{
	"active-list":          &coordination.ActiveList{},
	"answer":               &coordination.Answer{},
	"batch":                &coordination.Batch{},
	"batch-item-list":      &coordination.BatchItemList{},
	"batch-list":           &coordination.BatchList{},
	"batch-preview":        &coordination.BatchPreview{},
	"batch-request":        &coordination.BatchRequest{},
	"callback-receipt":     &coordination.CallbackReceipt{},
	"cancel-request":       &coordination.CancelRequest{},
	"cancel-response":      &coordination.CancelResponse{},
	"command":              &coordination.Command{},
	"compensate-request":   &coordination.CompensateRequest{},
	"compensate-response":  &coordination.CompensateResponse{},
	"compensation-preview": &coordination.CompensationPreview{},
	"error":                &coordination.ErrorEnvelope{},
	"event-history":        &coordination.EventHistory{},
	"health":               &coordination.Health{},
	"metrics":              &coordination.Metrics{},
	"order-request":        &coordination.OrderRequest{},
	"order-started":        &coordination.StartedWorkflow{},
	"parked-status":        &coordination.WorkflowStatus{},
	"retry-request":        &coordination.RetryRequest{},
	"retry-response":       &coordination.RetryResponse{},
	"saga":                 &coordination.Saga{},
	"template-list":        &coordination.TemplateList{},
	"workflow-status":      &coordination.WorkflowStatus{},
	"delivery-list":        &coordination.DeliveryList{},
	"rotated-secret":       &coordination.RotatedSecret{},
	"webhook-created":      &coordination.Webhook{},
	"webhook-list":         &coordination.WebhookList{},
	"webhook-payload":      &coordination.WebhookPayload{},
	"webhook-request":      &coordination.WebhookRequest{},
}

func TestEveryDocumentSurvivesDecodingAndEncoding(t *testing.T) {
	t.Parallel()
	files, err := testdata.ReadDir("testdata")
	if err != nil || len(files) != len(documents) {
		t.Fatalf("testdata has %d documents, want the %d that are named (%v)", len(files), len(documents), err)
	}
	for name, prototype := range documents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original := []byte(text(name))
			value := reflect.New(reflect.TypeOf(prototype).Elem()).Interface()
			strict := json.NewDecoder(bytes.NewReader(original))
			strict.DisallowUnknownFields()
			if err := strict.Decode(value); err != nil {
				t.Fatalf("decode: %v", err)
			}
			encoded, err := json.Marshal(value)
			if err != nil {
				t.Fatalf("encode: %v", err)
			}
			if got, want := canonical(t, encoded), canonical(t, original); !reflect.DeepEqual(got, want) {
				t.Errorf("changed on the way\n got %s\nwant %s", encoded, original)
			}
		})
	}
}

func TestStepCarriesAttributesAsMembers(t *testing.T) {
	t.Parallel()
	status := document[coordination.WorkflowStatus]("workflow-status")
	for i, step := range status.Steps {
		switch want := step.Name == "PAYMENT_PROCESSING"; {
		case want && (len(step.Attributes) != 1 || string(step.Attributes["provider"]) != `"stripe"`):
			t.Errorf("attributes of the payment are %s", step.Attributes)
		case !want && step.Attributes != nil:
			t.Errorf("step %d has attributes %s", i, step.Attributes)
		}
	}

	step := coordination.Step{Name: "A", Status: coordination.StepPending, Attributes: map[string]json.RawMessage{
		"zone": json.RawMessage(`1`), "name": json.RawMessage(`"forged"`), "a\"b": json.RawMessage(`true`),
	}}
	encoded, err := json.Marshal(step)
	if want := `{"name":"A","status":"PENDING","a\"b":true,"zone":1}`; err != nil || string(encoded) != want {
		t.Errorf("encoded %s (%v), want %s", encoded, err, want)
	}
}

func TestEmptyListsAndTablesAreNotNull(t *testing.T) {
	t.Parallel()
	for name, prototype := range documents {
		value := reflect.New(reflect.TypeOf(prototype).Elem())
		fillRequired(value.Elem())
		encoded, err := json.Marshal(value.Interface())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(string(encoded), "null") {
			t.Errorf("%s has null: %s", name, encoded)
		}
	}
	encoded, _ := json.Marshal(coordination.SagaSummary{})
	if !strings.Contains(string(encoded), `"compensationExecuted":[]`) {
		t.Errorf("an empty saga summary is %s", encoded)
	}
}

// fillRequired gives values to members that have no wire form when empty.
func fillRequired(value reflect.Value) {
	for i := range value.NumField() {
		tag := value.Type().Field(i).Tag.Get("json")
		if tag == "" || strings.Contains(tag, "omit") {
			continue
		}
		switch field := value.Field(i); field.Interface().(type) {
		case json.RawMessage:
			field.Set(reflect.ValueOf(json.RawMessage(`{}`)))
		case []coordination.OrderItem:
			field.Set(reflect.ValueOf([]coordination.OrderItem{{UnitPrice: "1"}}))
		}
	}
}

func TestOptionalMembersAreLeftOut(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]any{
		`{"name":"A","status":"PENDING"}`:        coordination.Step{Name: "A", Status: coordination.StepPending},
		`{"type":"CREDIT_CARD","token":"t"}`:     coordination.PaymentMethod{Type: "CREDIT_CARD", Token: "t"},
		`{"step":"A","status":"NOT_APPLICABLE"}`: coordination.CompensationStep{Step: "A", Status: coordination.StepNotApplicable},
		`{"eligible":false}`:                     coordination.Refund{},
		`{"outcome":"SUCCEEDED"}`:                coordination.Answer{Outcome: coordination.OutcomeSucceeded},
		`{"name":"A","service":"s","after":[],"timeout":"PT1S","retryPolicy":{"maxAttempts":1,"backoffMultiplier":2}}`: coordination.TemplateStep{
			Name: "A", Service: "s", After: []string{}, Timeout: 1e9,
			RetryPolicy: coordination.RetryPolicy{MaxAttempts: 1, BackoffMultiplier: "2"},
		},
	} {
		if encoded, err := json.Marshal(value); err != nil || string(encoded) != want {
			t.Errorf("encoded %s (%v), want %s", encoded, err, want)
		}
	}
}

// The tags are read by the server when it starts and by nothing before it, so a
// fault in them is looked for here.
func TestDocumentationTagsAgree(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	for _, prototype := range documents {
		checkTags(t, reflect.TypeOf(prototype), seen)
	}
	for _, prototype := range []any{
		coordination.ReturnRequest{}, coordination.ReplenishmentRequest{}, coordination.StartRequest{},
		coordination.CompensationTestInput{}, coordination.ViolationDetails{}, coordination.ConflictDetails{}, coordination.LimitDetails{},
		coordination.StateDetails{}, coordination.FailureDetails{}, coordination.WebhookUpdate{}, coordination.RotateSecretRequest{},
		coordination.RecoverRequest{}, coordination.RecoverResponse{}, coordination.RedeliverResponse{},
	} {
		checkTags(t, reflect.TypeOf(prototype), seen)
	}
	if len(seen) < 50 {
		t.Errorf("only %d types were reached", len(seen))
	}
}

func checkTags(t *testing.T, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkTags(t, typ.Elem(), seen)
		return
	case reflect.Struct:
	default:
		return
	}
	if seen[typ] || typ == reflect.TypeFor[coordination.Time]() || typ == reflect.TypeFor[coordination.Percent]() {
		return
	}
	seen[typ] = true
	for field := range typ.Fields() {
		if tag := field.Tag.Get("json"); tag != "" && tag != "-" {
			checkField(t, typ, field)
			checkTags(t, field.Type, seen)
		}
	}
}

func checkField(t *testing.T, typ reflect.Type, field reflect.StructField) {
	t.Helper()
	name := typ.Name() + "." + field.Name
	tag := field.Tag
	if tag.Get("doc") == "" {
		t.Errorf("%s has no doc", name)
	}
	example, hasExample := tag.Lookup("example")
	if pattern, ok := tag.Lookup("pattern"); ok {
		if compiled, err := regexp.Compile(pattern); err != nil || !compiled.MatchString(example) {
			t.Errorf("%s: pattern does not match the example %q (%v)", name, example, err)
		}
	}
	if enum, ok := tag.Lookup("enum"); ok {
		for word := range strings.SplitSeq(example, ",") {
			if !slices.Contains(strings.Split(enum, ","), word) {
				t.Errorf("%s: example %q is not in its enum", name, word)
			}
		}
	}
	if hasExample {
		checkExample(t, name, field.Type, example)
	}
}

// checkExample decodes an example into the type of its field.
func checkExample(t *testing.T, name string, typ reflect.Type, example string) {
	t.Helper()
	value := reflect.New(typ).Interface()
	text := []byte(example)
	if err := json.Unmarshal(text, value); err == nil {
		return
	}
	if typ.Kind() == reflect.Slice {
		return // strings separated by commas
	}
	quoted, _ := json.Marshal(example)
	if err := json.Unmarshal(quoted, value); err != nil {
		t.Errorf("%s: example %q: %v", name, example, err)
	}
}

// canonical decodes JSON with its numbers as exact rationals, so that 95.40 and
// 95.4 are equal and nothing else is.
func canonical(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return exact(value)
}

func exact(value any) any {
	switch value := value.(type) {
	case json.Number:
		rational, _ := new(big.Rat).SetString(value.String())
		return "number " + rational.RatString()
	case map[string]any:
		for name, member := range value {
			value[name] = exact(member)
		}
	case []any:
		for i, element := range value {
			value[i] = exact(element)
		}
	}
	return value
}
