package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tracing is where spans go: OTLP over HTTP, where the standard variables of
// OpenTelemetry say. It is nil where they say nothing.
type tracing struct{ provider *sdktrace.TracerProvider }

// tracingTime is what the collector has to take the last spans at the end.
const tracingTime = 3 * time.Second

// openTracing reads OTEL_*. The exporter reads its address, headers and timeouts
// from there by itself, and the SDK its sampler and its batches.
func openTracing(log *slog.Logger) (*tracing, error) {
	ctx := context.Background()
	if !tracingWanted() {
		return nil, nil
	}
	if p := firstSet("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, usageError{fmt.Errorf("traces are sent by http/protobuf and not by %s: set OTEL_EXPORTER_OTLP_PROTOCOL to it, or leave it out", p)}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// What comes later wins: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "roost")), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, errors.Join(fmt.Errorf("tracing: %w", err), exporter.Shutdown(ctx))
	}
	log.Info("traces are exported", "to", firstSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"))
	return &tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}, nil
}

// tracingWanted: an address is there, or the exporter named, and it is not turned off.
func tracingWanted() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_TRACES_EXPORTER") == "otlp" || firstSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") != ""
}

// firstSet returns the first of the variables that is set.
func firstSet(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// tracer returns what makes spans, nil where there are none to make.
func (t *tracing) tracer() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// close sends what is left.
func (t *tracing) close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracingTime)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
