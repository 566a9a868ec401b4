// Package coordination is the Go client of the Platform Coordination API and
// the one definition of its wire format.
//
//	client, err := coordination.New("http://127.0.0.1:8081/api/v1", coordination.WithToken(token))
//	…
//	workflow, err := client.Workflows.StartOrder(ctx, order)
//	…
//	status, err := client.Workflows.Wait(ctx, workflow.WorkflowID)
//
// # Calls
//
// The services of a [Client] are its fields: [WorkflowService], [SagaService],
// [TemplateService], [WebhookService], [HealthService] and, for participants,
// [CallbackService]. Every route of the API has a method.
//
// Every mutating call carries an idempotency key that stays the same over its
// attempts, so that whatever gets lost, it has its effect once. Give it a key of
// the caller's own ([WithIdempotencyKey]) if it must also survive the caller's
// crash. With [WithWait] the answer comes when the workflow has ended.
//
// A call is repeated when the connection failed or the service says that it may
// be (429, 502, 503), within the limits of [Retries]; an error that says more
// ends it. A context ends it at any time.
//
// # Errors
//
// An error of the API is an *[Error], which errors.As finds, with its details; its
// code is an error too:
//
//	if errors.Is(err, coordination.ErrWorkflowNotFound) { … }
//
// # Following a workflow
//
// [WorkflowService.Watch] iterates over the events of a workflow as they happen,
// over lost connections too. [WorkflowService.Wait] returns its status when it
// has ended or waits for a person. Lists have iterators over all their pages:
// [WorkflowService.All], [WorkflowService.AllActive], [WorkflowService.AllEvents],
// [WebhookService.AllDeliveries].
//
// # The wire format
//
// The structs of this package are what travels as JSON: the server serves
// them, the client reads them and the OpenAPI documents are generated from
// them. Besides their json tags they carry documentation tags (doc, example,
// enum, pattern, limits), which are plain strings: the package depends on
// nothing but the standard library.
//
// Four small types keep the wire exact. [Amount] is money as decimal text,
// never a float. [Duration] is a time.Duration in the ISO 8601 form PT2M30S.
// [Percent] is a percentage in hundredths. [Time] is a UTC timestamp in
// milliseconds. A [List] that is empty is written as [], a [Table] as {}, never
// as null. Free JSON (metadata, results, context) stays
// [encoding/json.RawMessage].
//
// What a payment method, an address or a command holds that is secret or
// personal is not shown when they are printed or logged.
package coordination
