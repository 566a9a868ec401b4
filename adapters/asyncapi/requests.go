package asyncapi

import (
	"reflect"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// What a request may name for its answer: a topic that is not the coordinator's
// own, but for those that are there for answers.
const (
	topicForm      = `^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`
	maxTopicLength = 200
	ownTopic       = `^coordination\.`
	answerTopic    = `^coordination\.answers\.`
)

var requestType = reflect.TypeFor[coordination.BusRequest]()

// body is what a request must have for an operation: the member that names what
// it is about, and the body of the same request over REST.
type body struct {
	operation coordination.BusOperation
	workflow  string // with START: the type whose requests have a form of their own
	needs     []string
	body      reflect.Type
}

var bodies = []body{
	{coordination.OperationStart, "ORDER_FULFILLMENT", []string{"body"}, reflect.TypeFor[coordination.OrderRequest]()},
	{coordination.OperationStart, "RETURN_PROCESSING", []string{"body"}, reflect.TypeFor[coordination.ReturnRequest]()},
	{coordination.OperationStart, "INVENTORY_REPLENISHMENT", []string{"body"}, reflect.TypeFor[coordination.ReplenishmentRequest]()},
	{coordination.OperationStart, "", []string{"body"}, reflect.TypeFor[coordination.StartRequest]()},
	{coordination.OperationCancel, "", []string{"workflowId", "body"}, reflect.TypeFor[coordination.CancelRequest]()},
	{coordination.OperationRetry, "", []string{"workflowId"}, reflect.TypeFor[coordination.RetryRequest]()},
	{coordination.OperationCompensate, "", []string{"sagaId", "body"}, reflect.TypeFor[coordination.CompensateRequest]()},
}

// requestRules say the same in the words of JSON Schema.
func requestRules(prefix string) []any {
	var rules, own []any
	for _, b := range bodies {
		if b.workflow != "" {
			own = append(own, b.workflow)
		}
	}
	for _, b := range bodies {
		when := object{"operation": object{"const": b.operation}}
		needs := []string{"operation"}
		switch {
		case b.workflow != "":
			when["type"] = object{"const": b.workflow}
			needs = append(needs, "type")
		case b.operation == coordination.OperationStart:
			when["type"] = object{"not": object{"enum": own}}
		}
		rules = append(rules, object{
			"if":   object{"properties": when, "required": needs},
			"then": object{"properties": object{"body": object{"$ref": prefix + nameOf(b.body)}}, "required": b.needs},
		})
	}
	return rules
}
