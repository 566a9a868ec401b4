package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// OrderInput is a request to start an order workflow.
type OrderInput struct {
	Idempotency
	Preference
	JSONBody[coordination.OrderRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *OrderInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, orderFaults(&in.Body, "body")...)
}

// ReturnInput is a request to start a return workflow.
type ReturnInput struct {
	Idempotency
	Preference
	JSONBody[coordination.ReturnRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *ReturnInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, returnFaults(&in.Body, "body")...)
}

// ReplenishmentInput is a request to start a replenishment workflow.
type ReplenishmentInput struct {
	Idempotency
	Preference
	JSONBody[coordination.ReplenishmentRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *ReplenishmentInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, metadataFaults(in.Body.Metadata, "body.metadata")...)
}

// StartInput is a request to start a workflow of any template.
type StartInput struct {
	Idempotency
	Preference
	JSONBody[coordination.StartRequest]
}

// Resolve finds the faults that the schema cannot express.
func (in *StartInput) Resolve(ctx huma.Context) []error {
	errs := append(in.scan(MaxStringLength), in.check(ctx)...)
	return append(errs, metadataFaults(in.Body.Metadata, "body.metadata")...)
}

// start is a workflow about to be started, whatever route it came by.
type start struct {
	workflowType string
	businessKey  string
	customerID   string
	priority     coordination.Priority
	input        any
}

func (s *service) startOrder(ctx context.Context, in *OrderInput) (*Mutated, error) {
	begin, err := orderStart(&in.Body)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, "startOrderWorkflow", begin, &in.Idempotency, &in.Preference, in.canonical)
}

func (s *service) startReturn(ctx context.Context, in *ReturnInput) (*Mutated, error) {
	return s.start(ctx, "startReturnWorkflow", returnStart(&in.Body), &in.Idempotency, &in.Preference, in.canonical)
}

func (s *service) startReplenishment(ctx context.Context, in *ReplenishmentInput) (*Mutated, error) {
	return s.start(ctx, "startReplenishmentWorkflow", replenishmentStart(&in.Body), &in.Idempotency, &in.Preference, in.canonical)
}

func (s *service) startAny(ctx context.Context, in *StartInput) (*Mutated, error) {
	begin, err := s.genericStart(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, "startWorkflow", begin, &in.Idempotency, &in.Preference, in.canonical)
}

// start begins a workflow and renders it as it was right after.
func (s *service) start(ctx context.Context, operation string, begin start, key *Idempotency, prefer *Preference, canonical []byte) (*Mutated, error) {
	input, err := json.Marshal(begin.input)
	if err != nil {
		return nil, err
	}
	receipt, err := s.Workflows.Start(ctx, ports.StartRequest{
		Type: begin.workflowType, BusinessKey: begin.businessKey, CustomerID: begin.customerID, Priority: string(begin.priority),
		Input: input, Key: key.key(exchangeOf(ctx), operation, "", canonical)})
	if err != nil {
		return nil, isNotFound(err, coordination.ErrTemplateNotFound, "template")
	}
	return s.mutated(ctx, http.StatusCreated, receipt, prefer, func(state *domain.State) any { return startedWorkflow(state) })
}

func orderStart(o *coordination.OrderRequest) (start, error) {
	if err := priceOrder(o); err != nil {
		return start{}, err
	}
	if o.Options == nil {
		o.Options = &coordination.OrderOptions{}
	}
	o.Options.Priority = orNormal(o.Options.Priority)
	o.Metadata = orAbsent(o.Metadata)
	return start{coordination.TypeOrderFulfillment, o.OrderID, o.CustomerID, o.Options.Priority, o}, nil
}

func returnStart(r *coordination.ReturnRequest) start {
	if r.Currency == "" {
		r.Currency = DefaultCurrency
	}
	r.Options = withPriority(r.Options)
	r.Metadata = orAbsent(r.Metadata)
	return start{coordination.TypeReturnProcessing, r.ReturnID, r.CustomerID, r.Options.Priority, r}
}

func replenishmentStart(r *coordination.ReplenishmentRequest) start {
	r.Options = withPriority(r.Options)
	r.Metadata = orAbsent(r.Metadata)
	return start{coordination.TypeInventoryReplenishment, r.ReplenishmentID, "", r.Options.Priority, r}
}

func withPriority(o *coordination.Options) *coordination.Options {
	if o == nil {
		o = &coordination.Options{}
	}
	o.Priority = orNormal(o.Priority)
	return o
}

func orNormal(p coordination.Priority) coordination.Priority {
	if p == "" {
		return coordination.PriorityNormal
	}
	return p
}

// orAbsent makes a JSON null what it means: nothing.
func orAbsent(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// genericStart reads the input of a built-in type as the body of its own
// route, and takes that of any other template as it is.
func (s *service) genericStart(ctx context.Context, r *coordination.StartRequest) (start, error) {
	template := s.template(ctx, r.Type)
	if template == nil {
		return start{}, templateNotFound()
	}
	r.Metadata = orAbsent(r.Metadata)
	begin, err := s.inputStart(r)
	if err != nil {
		return start{}, err
	}
	if r.Options != nil && r.Options.Priority != "" {
		begin.priority = r.Options.Priority
	}
	if err := keyFault(template, r); err != nil {
		return start{}, err
	}
	return begin, nil
}

func (s *service) template(ctx context.Context, workflowType string) *domain.Template {
	for _, t := range s.Queries.Templates(ctx) {
		if t.Type == workflowType {
			return t
		}
	}
	return nil
}

// keyFault is the fault of an input that names another business object than businessKey does.
func keyFault(t *domain.Template, r *coordination.StartRequest) error {
	if t.BusinessKey == "" {
		return nil
	}
	raw, _ := domain.LookupPath(r.Input, []string{t.BusinessKey})
	var key string
	if json.Unmarshal(raw, &key) != nil || key != r.BusinessKey {
		return invalid(coordination.Violation{Path: "body.input." + t.BusinessKey, Message: "expected the same as businessKey"})
	}
	return nil
}

func (s *service) inputStart(r *coordination.StartRequest) (start, error) {
	switch r.Type {
	case coordination.TypeOrderFulfillment:
		o, errs := decodeInput[coordination.OrderRequest](s, r.Input)
		o.Metadata = metadataOf(o.Metadata, r.Metadata)
		if err := refusal(append(errs, orderFaults(&o, "body.input")...)); err != nil {
			return start{}, err
		}
		return orderStart(&o)
	case coordination.TypeReturnProcessing:
		ret, errs := decodeInput[coordination.ReturnRequest](s, r.Input)
		ret.Metadata = metadataOf(ret.Metadata, r.Metadata)
		return returnStart(&ret), refusal(append(errs, returnFaults(&ret, "body.input")...))
	case coordination.TypeInventoryReplenishment:
		rep, errs := decodeInput[coordination.ReplenishmentRequest](s, r.Input)
		rep.Metadata = metadataOf(rep.Metadata, r.Metadata)
		return replenishmentStart(&rep), refusal(append(errs, metadataFaults(rep.Metadata, "body.input.metadata")...))
	case coordination.TypeCompensationTest:
		_, errs := decodeInput[coordination.CompensationTestInput](s, r.Input)
		if err := refusal(errs); err != nil {
			return start{}, err
		}
	}
	if err := refusal(inputFaults(r.Input, "body.input")); err != nil {
		return start{}, err
	}
	return start{r.Type, r.BusinessKey, "", coordination.PriorityNormal, withMetadata(r.Input, r.Metadata)}, nil
}

func metadataOf(own, outer json.RawMessage) json.RawMessage {
	if own = orAbsent(own); own != nil {
		return own
	}
	return outer
}

// withMetadata adds metadata to a JSON object that has none of its own.
func withMetadata(input, metadata json.RawMessage) json.RawMessage {
	if _, has := domain.LookupPath(input, []string{"metadata"}); has || metadata == nil {
		return input
	}
	rest := bytes.TrimSpace(bytes.TrimSpace(input)[1:]) // behind the brace
	merged := append([]byte(`{"metadata":`), metadata...)
	if rest[0] != '}' {
		merged = append(merged, ',')
	}
	return append(merged, rest...)
}

// decodeInput reads an input as strictly as a body of its own.
func decodeInput[T any](s *service, raw json.RawMessage) (T, []error) {
	var parsed any
	var input T
	if err := unmarshal(raw, &parsed); err != nil {
		return input, []error{violation("body.input", err.Error())}
	}
	path := huma.NewPathBuffer(make([]byte, 0, maxPathLength), 0)
	path.Push("body")
	path.Push("input")
	result := &huma.ValidateResult{}
	registry := s.api.OpenAPI().Components.Schemas
	huma.Validate(registry, registry.Schema(reflect.TypeFor[T](), true, ""), path, huma.ModeWriteToServer, parsed, result)
	errs := make([]error, 0, len(result.Errors))
	for _, v := range violations(result.Errors) {
		if len(result.Errors) > 0 {
			errs = append(errs, scanFault(v))
		}
	}
	if len(errs) > 0 {
		return input, errs
	}
	if err := unmarshal(raw, &input); err != nil {
		errs = append(errs, violation("body.input", err.Error()))
	}
	return input, errs
}

// unmarshal is json.Unmarshal with errors that never quote what they could not read.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, coordination.ErrAmount), errors.Is(err, coordination.ErrDuration):
		return err
	case errors.As(err, &mismatch) && mismatch.Type.Kind() >= reflect.Int && mismatch.Type.Kind() <= reflect.Uint64:
		return errors.New(mismatch.Field + ": expected an integer without fraction and exponent")
	case errors.As(err, &mismatch):
		return errors.New(msgNumber)
	}
	return errors.New(msgNotJSON)
}
