package telemetry

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Names of attributes that are ours. Those of spans may be IDs, those of
// metrics never: each has as few values as templates and configuration give it.
const (
	keyWorkflowID  = attribute.Key("coordination.workflow.id")
	keySagaID      = attribute.Key("coordination.saga.id")
	keyBusinessKey = attribute.Key("coordination.business_key")
	keyType        = attribute.Key("coordination.workflow.type")
	keyStatus      = attribute.Key("coordination.workflow.status")
	keySagaState   = attribute.Key("coordination.saga.state")
	keyRun         = attribute.Key("coordination.run")
	keyStep        = attribute.Key("coordination.step")
	keyStepStatus  = attribute.Key("coordination.step.status")
	keyService     = attribute.Key("coordination.service")
	keyDirection   = attribute.Key("coordination.direction")
	keyCommandID   = attribute.Key("coordination.command.id")
	keyAttempt     = attribute.Key("coordination.attempt")
	keyOutcome     = attribute.Key("coordination.outcome")
	keyVersion     = attribute.Key("coordination.version")
	keyEvents      = attribute.Key("coordination.events")
	keyBatch       = attribute.Key("coordination.commit.batch_size")
	keyResult      = attribute.Key("coordination.result")
	keyOperation   = attribute.Key("coordination.operation")
	keyEvent       = attribute.Key("coordination.event")
	keyDelivery    = attribute.Key("coordination.webhook.status")
	keyRemoved     = attribute.Key("coordination.retention.kind")
	keyWebhookID   = attribute.Key("coordination.webhook.id")
)

// Bounds of histograms, in seconds.
var (
	callSeconds     = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	commitSeconds   = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	workflowSeconds = []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800}
	batchSizes      = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// instruments are all that are recorded into; those that are looked at when
// somebody asks are in watch.go.
type instruments struct {
	workflowsStarted metric.Int64Counter
	workflowsEnded   metric.Int64Counter
	workflowDuration metric.Float64Histogram
	stepAttempts     metric.Int64Counter
	stepDuration     metric.Float64Histogram
	compensations    metric.Float64Histogram
	commandDuration  metric.Float64Histogram
	commitDuration   metric.Float64Histogram
	commitBatch      metric.Int64Histogram
	commitChanges    metric.Int64Counter
	overloads        metric.Int64Counter
	requestDuration  metric.Float64Histogram
	requestsActive   metric.Int64UpDownCounter
	messagesSent     metric.Int64Counter
	sendDuration     metric.Float64Histogram
	messagesConsumed metric.Int64Counter
	processDuration  metric.Float64Histogram
	quarantined      metric.Int64Counter
	deliveryDuration metric.Float64Histogram
	removed          metric.Int64Counter

	byWorkflow labelled[workflowLabels]
	bySaga     labelled[sagaLabels]
	byAttempt  labelled[attemptLabels]
	byStep     labelled[stepLabels]
	byCommand  labelled[commandLabels]
	byRequest  labelled[requestLabels]
	byMessage  labelled[messageLabels]
	byResult   labelled[resultLabels]
	byDelivery labelled[deliveryLabels]
	byRemoval  labelled[removalLabels]
}

func newInstruments(meter metric.Meter) (*instruments, error) {
	var errs []error
	count := func(name, unit, description string) metric.Int64Counter {
		i, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	seconds := func(name, description string, bounds []float64) metric.Float64Histogram {
		i, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return i
	}
	in := &instruments{
		workflowsStarted: count("coordination.workflow.started", "{workflow}", "Workflows that were started"),
		workflowsEnded:   count("coordination.workflow.ended", "{workflow}", "Workflows that have ended, by their final status"),
		workflowDuration: seconds("coordination.workflow.duration", "From the start of a workflow to its end", workflowSeconds),
		stepAttempts:     count("coordination.step.attempts", "{attempt}", "Outcomes of attempts, compensation steps included, as they were decided on"),
		stepDuration:     seconds("coordination.step.duration", "From the first command of a step, or compensation step, to its outcome", workflowSeconds),
		compensations:    seconds("coordination.compensation.duration", "Compensations that succeeded or failed, from their decision on", workflowSeconds),
		commandDuration:  seconds("coordination.command.duration", "Deliveries of commands to participants, with what came back", callSeconds),
		commitDuration:   seconds("coordination.commit.duration", "Writes of batches of changes to the store", commitSeconds),
		commitChanges:    count("coordination.commit.changes", "{change}", "Changes given to the store, by what came of them"),
		overloads:        count("coordination.overload.refusals", "{request}", "Requests refused because too much was in hand"),
		requestDuration:  seconds("http.server.request.duration", "Duration of HTTP server requests", callSeconds),
		messagesSent:     count("messaging.client.sent.messages", "{message}", "Messages that were published"),
		sendDuration:     seconds("messaging.client.operation.duration", "Duration of publishing a message", callSeconds),
		messagesConsumed: count("messaging.client.consumed.messages", "{message}", "Messages that were delivered"),
		processDuration:  seconds("messaging.process.duration", "Duration of handling a message", callSeconds),
		quarantined:      count("coordination.bus.quarantined", "{message}", "Messages that were put into quarantine"),
		deliveryDuration: seconds("coordination.webhook.attempt.duration", "Attempts to tell receivers of webhooks, with what came of them", callSeconds),
		removed:          count("coordination.retention.removed", "{item}", "What was removed because it was over its age"),
	}
	var err error
	in.commitBatch, err = meter.Int64Histogram("coordination.commit.batch.size", metric.WithUnit("{change}"),
		metric.WithDescription("Changes that were written together"), metric.WithExplicitBucketBoundaries(batchSizes...))
	errs = append(errs, err)
	in.requestsActive, err = meter.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Number of active HTTP server requests"))
	return in, errors.Join(append(errs, err)...)
}
