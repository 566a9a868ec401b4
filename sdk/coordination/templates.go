package coordination

import "encoding/json"

// TemplateList is the answer of GET /workflow-templates.
type TemplateList struct {
	Templates List[Template] `json:"templates" doc:"All templates"`
}

// Template is a workflow written down as data. Without usage it can be loaded
// by a server again.
type Template struct {
	TemplateID        string                     `json:"templateId" doc:"Template identifier" example:"tmpl-order-fulfillment-v2"`
	Name              string                     `json:"name" doc:"Name for people" example:"Order Fulfillment Workflow"`
	Type              string                     `json:"type" doc:"Workflow type" example:"ORDER_FULFILLMENT"`
	Version           string                     `json:"version" doc:"Version of the template" example:"2.1"`
	Description       string                     `json:"description,omitempty" doc:"What it does" example:"Complete order fulfillment process with payment and shipping"`
	Timeout           Duration                   `json:"timeout,omitempty" doc:"Bound of the forward part; what was done is compensated when it has passed" example:"PT30M"`
	BusinessKey       string                     `json:"businessKey,omitempty" doc:"Member of the input that identifies the business object" example:"orderId"`
	Context           json.RawMessage            `json:"context,omitempty" doc:"What the context of a saga starts with"`
	Metadata          json.RawMessage            `json:"metadata,omitempty" doc:"What lists and the status show of the input"`
	Steps             List[TemplateStep]         `json:"steps" doc:"Steps in order"`
	CompensationSteps List[TemplateCompensation] `json:"compensationSteps" doc:"How steps are undone, in forward order"`
	Active            bool                       `json:"active" doc:"Whether it can be started" example:"true"`
	Usage             *TemplateUsage             `json:"usage,omitempty" doc:"How much it is used"`
}

// TemplateStep is one command to a participant.
type TemplateStep struct {
	Name              string                     `json:"name" doc:"Name of the step" example:"PAYMENT_PROCESSING"`
	Service           string                     `json:"service" doc:"Participant" example:"payment-service"`
	Action            string                     `json:"action,omitempty" doc:"What the participant is asked" example:"process_payment"`
	Description       string                     `json:"description,omitempty" doc:"What it does" example:"Processing payment authorization"`
	Kind              string                     `json:"kind,omitempty" doc:"What failure means once the step has succeeded: after a pivot nothing is compensated automatically" example:"compensatable" enum:"compensatable,pivot,retriable"`
	After             []string                   `json:"after,omitzero" doc:"Steps that must be settled first; by default the one before, none if empty"`
	Timeout           Duration                   `json:"timeout" doc:"Bound of one attempt" example:"PT2M"`
	EstimatedDuration Duration                   `json:"estimatedDuration,omitempty" doc:"How long it should take" example:"PT30S"`
	RetryPolicy       RetryPolicy                `json:"retryPolicy" doc:"How often and when it is sent again"`
	Parameters        json.RawMessage            `json:"parameters,omitempty" doc:"Parameters, with look-ups into context and input"`
	Condition         string                     `json:"condition,omitempty" doc:"When the step is needed"`
	OnExhausted       string                     `json:"onExhausted,omitempty" doc:"What happens when its attempts are used up" example:"PARK" enum:"COMPENSATE,PARK,CONTINUE"`
	OnRejected        string                     `json:"onRejected,omitempty" doc:"What happens when the participant rejects it" example:"COMPENSATE" enum:"COMPENSATE,PARK,CONTINUE"`
	ParkFor           Duration                   `json:"parkFor,omitempty" doc:"How long PARK waits for a person before it compensates; absent: for ever" example:"PT15M"`
	FailureReason     string                     `json:"failureReason,omitempty" doc:"What metrics call a compensation that this step caused" example:"PAYMENT_FAILED"`
	Attributes        map[string]json.RawMessage `json:"attributes,omitempty" doc:"Shown with the step wherever it is shown"`
}

// TemplateCompensation is the undo of one step or, without compensates, the
// hook that runs after every compensation and cannot change its result.
type TemplateCompensation struct {
	Name              string                     `json:"name" doc:"Name of the compensation step" example:"VOID_PAYMENT"`
	Compensates       string                     `json:"compensates,omitempty" doc:"Step that it undoes; absent for a hook" example:"PAYMENT_PROCESSING"`
	Service           string                     `json:"service" doc:"Participant" example:"payment-service"`
	Action            string                     `json:"action,omitempty" doc:"What the participant is asked" example:"void_payment"`
	Description       string                     `json:"description,omitempty" doc:"What it does" example:"Void payment authorization"`
	Condition         string                     `json:"condition,omitempty" doc:"When it is needed" example:"IF_PAYMENT_AUTHORIZED"`
	Timeout           Duration                   `json:"timeout,omitempty" doc:"Bound of one attempt" example:"PT30S"`
	EstimatedDuration Duration                   `json:"estimatedDuration,omitempty" doc:"How long it should take" example:"PT30S"`
	RetryPolicy       *RetryPolicy               `json:"retryPolicy,omitempty" doc:"How often and when it is sent again"`
	Parameters        json.RawMessage            `json:"parameters,omitempty" doc:"Parameters, with look-ups into context and input"`
	Attributes        map[string]json.RawMessage `json:"attributes,omitempty" doc:"Shown with the step wherever it is shown"`
}

// RetryPolicy says how often a command is sent and how long to wait between.
type RetryPolicy struct {
	MaxAttempts       int         `json:"maxAttempts" doc:"How often it is sent at most" example:"2"`
	InitialInterval   Duration    `json:"initialInterval,omitempty" doc:"Wait before the second attempt" example:"PT1S"`
	BackoffMultiplier json.Number `json:"backoffMultiplier" doc:"Factor from one wait to the next" example:"1.5"`
	MaxInterval       Duration    `json:"maxInterval,omitempty" doc:"Longest wait" example:"PT1M"`
	Jitter            json.Number `json:"jitter,omitempty" doc:"Up to this share of a wait is added at random" example:"0.2"`
}

// TemplateUsage says how much a template is used.
type TemplateUsage struct {
	LastMonth   int64   `json:"lastMonth" doc:"Workflows started in the last 30 days" example:"10234"`
	SuccessRate Percent `json:"successRate" doc:"Successes of these in percent" example:"93.48"`
}
