package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Removed counts what retention has removed; status is that of workflows, ""
// of everything else.
func (t *Telemetry) Removed(kind, status string, n int) {
	if t.metering {
		t.in.removed.Add(context.Background(), int64(n), t.in.byRemoval.of(removalLabels{kind, status}).add...)
	}
}

type removalLabels struct{ kind, status string }

func (l removalLabels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{keyRemoved.String(l.kind), keyStatus.String(l.status)}
}

func (g *gauges) unswept(behind func() time.Duration) {
	age := g.gauge("coordination.retention.behind", "s", "How long ago nothing was over its age, as far as this replica knows")
	g.when(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(age, int64(behind().Seconds()))
		return nil
	}, age)
}
