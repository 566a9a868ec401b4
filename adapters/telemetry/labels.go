package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/firstviscount/platform-coordination/domain"
)

// labels are the values that a measurement is kept apart by; an empty one is left out.
type labels interface {
	comparable
	attributes() []attribute.KeyValue
}

// labelled remembers the options of a measurement by its labels: to make them
// for each measurement would cost more than to measure. The zero value is empty.
type labelled[L labels] struct {
	mu    sync.RWMutex
	known map[L]*measured
}

// measured are the same labels as options of both kinds of instruments.
type measured struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

func (c *labelled[L]) of(l L) *measured {
	c.mu.RLock()
	m := c.known[l]
	c.mu.RUnlock()
	if m != nil {
		return m
	}
	var kept []attribute.KeyValue
	for _, kv := range l.attributes() {
		if kv.Value.Type() != attribute.STRING || kv.Value.AsString() != "" {
			kept = append(kept, kv)
		}
	}
	set := metric.WithAttributeSet(attribute.NewSet(kept...))
	m = &measured{[]metric.AddOption{set}, []metric.RecordOption{set}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[L]*measured{}
	}
	c.known[l] = m
	return m
}

type workflowLabels struct{ workflowType, status string }

func (l workflowLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyType.String(l.workflowType), keyStatus.String(l.status)}
}

type sagaLabels struct {
	workflowType string
	state        domain.SagaState
}

func (l sagaLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyType.String(l.workflowType), keySagaState.String(string(l.state))}
}

type attemptLabels struct{ workflowType, step, service, outcome string }

func (l attemptLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyType.String(l.workflowType), keyStep.String(l.step), keyService.String(l.service), keyOutcome.String(l.outcome)}
}

type stepLabels struct{ workflowType, step, status string }

func (l stepLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyType.String(l.workflowType), keyStep.String(l.step), keyStepStatus.String(l.status)}
}

type commandLabels struct{ service, step, direction, outcome string }

func (l commandLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyService.String(l.service), keyStep.String(l.step), keyDirection.String(l.direction), keyOutcome.String(l.outcome)}
}

type requestLabels struct {
	method, route string
	status        int
}

func (l requestLabels) attributes() []attribute.KeyValue {
	all := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(l.method), semconv.HTTPRoute(l.route), semconv.URLScheme("http")}
	if l.status > 0 {
		all = append(all, semconv.HTTPResponseStatusCode(l.status))
	}
	return all
}

type messageLabels struct{ system, operation, topic, group, errorType string }

func (l messageLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.MessagingSystemKey.String(l.system), semconv.MessagingOperationName(l.operation),
		semconv.MessagingDestinationName(l.topic), semconv.MessagingConsumerGroupName(l.group), semconv.ErrorTypeKey.String(l.errorType)}
}

// resultLabels are those of what has only one, such as the result of a change.
type resultLabels struct {
	key   attribute.Key
	value string
}

func (l resultLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{l.key.String(l.value)}
}
