package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

const (
	// ServiceName is what the service is called unless OTEL_SERVICE_NAME or
	// OTEL_RESOURCE_ATTRIBUTES say otherwise.
	ServiceName = "platform-coordination"
	// FlushTimeout bounds how long Shutdown waits for the last exports.
	FlushTimeout = 3 * time.Second

	scope = "github.com/firstviscount/platform-coordination"
)

// Config says what there is beside the standard variables of OpenTelemetry
// (OTEL_*), which choose the exporters, the sampler and the resource.
type Config struct {
	// Version of the service; optional.
	Version string
	// Metrics has metrics kept for Handler.
	Metrics bool
	// Logger hears, rarely, of exports that fail; nobody if nil.
	Logger *slog.Logger
}

// Telemetry is the providers of one process and what reports to them. Without
// an exporter for traces it makes no spans, without a reader no metrics.
type Telemetry struct {
	log        *slog.Logger
	tracer     trace.Tracer
	tracing    bool
	meter      metric.Meter
	metering   bool
	propagator propagation.TextMapPropagator
	in         *instruments
	handler    http.Handler
	stop       []func(context.Context) error
}

// Open makes the providers. It connects to nothing yet: a receiver that is down
// fails exports, not the start. The error names the variable that is wrong.
func Open(ctx context.Context, c Config) (*Telemetry, error) {
	t := &Telemetry{log: c.Logger, tracer: tracenoop.NewTracerProvider().Tracer(scope), meter: metricnoop.NewMeterProvider().Meter(scope),
		propagator: propagation.TraceContext{}}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	otel.SetErrorHandler(newRare(t.log))
	about, err := describe(ctx, c.Version)
	if err != nil {
		return nil, err
	}
	err = t.openTraces(ctx, about)
	if err == nil {
		err = t.openMetrics(ctx, about, c.Metrics)
	}
	if err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

// describe is the resource: who reports. The command line is not part of it,
// since it may hold a secret.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	own := []attribute.KeyValue{semconv.ServiceName(ServiceName), semconv.ServiceInstanceID(uuid.NewString())}
	if version != "" {
		own = append(own, semconv.ServiceVersion(version))
	}
	about, err := resource.New(ctx, resource.WithAttributes(own...), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrSchemaURLConflict) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return about, nil
}

// off reports whether a signal has no exporter: none is named, and no receiver is.
func off(signal string) bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return true
	}
	for _, name := range []string{"OTEL_" + signal + "_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"} {
		if os.Getenv(name) != "" {
			return false
		}
	}
	return true
}

func (t *Telemetry) openTraces(ctx context.Context, about *resource.Resource) error {
	if off("TRACES") {
		return nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_TRACES_EXPORTER: %w", err)
	}
	if autoexport.IsNoneSpanExporter(exporter) {
		return nil
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about), sdktrace.WithIDGenerator(ids{}))
	t.stop = append(t.stop, provider.Shutdown)
	t.tracer, t.tracing = provider.Tracer(scope), true
	return nil
}

func (t *Telemetry) openMetrics(ctx context.Context, about *resource.Resource, serve bool) error {
	options := []sdkmetric.Option{sdkmetric.WithResource(about)}
	if !off("METRICS") {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return fmt.Errorf("OTEL_METRICS_EXPORTER: %w", err)
		}
		if !autoexport.IsNoneMetricReader(reader) {
			options = append(options, sdkmetric.WithReader(reader))
			t.metering = true
		}
	}
	if serve {
		reader, handler, err := prometheusReader(t.log)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
		t.handler, t.metering = handler, true
	}
	if t.metering {
		provider := sdkmetric.NewMeterProvider(options...)
		t.stop = append(t.stop, provider.Shutdown)
		t.meter = provider.Meter(scope)
		if err := runtime.Start(runtime.WithMeterProvider(provider)); err != nil {
			return fmt.Errorf("runtime metrics: %w", err)
		}
	}
	var err error
	t.in, err = newInstruments(t.meter)
	return err
}

// Handler serves the metrics in the formats of Prometheus; nil unless Config
// asked for them.
func (t *Telemetry) Handler() http.Handler { return t.handler }

// Meter is for the instruments of other parts; it measures nothing if there is
// nobody to read them.
func (t *Telemetry) Meter() metric.Meter { return t.meter }

// Tracing reports whether spans are exported.
func (t *Telemetry) Tracing() bool { return t.tracing }

// Shutdown exports what is left, until FlushTimeout or ctx ends. What a
// receiver does not take is lost and logged: that is no failure of the service.
// It may be called twice.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, FlushTimeout)
	defer cancel()
	for _, stop := range t.stop {
		if err := stop(ctx); err != nil {
			t.log.WarnContext(ctx, "the last traces or metrics were not exported", "error", err)
		}
	}
	t.stop = nil
	return nil
}
