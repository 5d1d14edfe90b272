package push

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Trace is a position in a distributed trace, in the words of W3C Trace Context.
type Trace struct {
	Parent string // traceparent; "": there is none
	State  string // tracestate
}

// maxTraceState is how much of a caller's tracestate goes on; the recommendation
// asks for 512 characters at least. A longer one is left out.
const maxTraceState = 512

// withTrace puts the caller's position into ctx, if its headers have a valid one.
func withTrace(ctx context.Context, h http.Header) context.Context {
	return Trace{h.Get("Traceparent"), h.Get("Tracestate")}.into(ctx)
}

func (t Trace) into(ctx context.Context) context.Context {
	if t.Parent == "" {
		return ctx
	}
	carrier := propagation.MapCarrier{"traceparent": t.Parent}
	if len(t.State) <= maxTraceState {
		carrier["tracestate"] = t.State
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

func traceOf(ctx context.Context) Trace {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return Trace{}
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return Trace{carrier["traceparent"], carrier["tracestate"]}
}

// tracer makes the spans on a publication's way: the request, the bus, and on each
// server the fan-out to the channels' members. Without a provider it makes none
// and hands the caller's position on as it came.
type tracer struct {
	trace.Tracer
	off bool
}

func newTracer(p trace.TracerProvider) tracer {
	const name = "github.com/roost-ws/roost/push"
	if p == nil {
		return tracer{noop.NewTracerProvider().Tracer(name), true}
	}
	return tracer{p.Tracer(name), false}
}

// request begins the span of a request that publishes. end ends it.
func (t tracer) request(ctx context.Context, a *app, events int) (_ context.Context, end func()) {
	if t.off {
		return ctx, func() {}
	}
	ctx, span := t.Start(ctx, "publish", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("roost.app", a.ID), attribute.Int("messaging.batch.message_count", events)))
	return ctx, func() { span.End() }
}

// publish hands e to the bus, with its position.
func (t tracer) publish(ctx context.Context, bus Bus, e *Event) error {
	if t.off {
		e.Trace = traceOf(ctx)
		return bus.Publish(ctx, e)
	}
	ctx, span := t.Start(ctx, "bus", trace.WithSpanKind(trace.SpanKindProducer), about(e))
	defer span.End()
	e.Trace = traceOf(ctx)
	err := bus.Publish(ctx, e)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

// fanOut begins the span of a delivery here, below what may be another server's.
func (t tracer) fanOut(e *Event) (end func()) {
	if t.off || e.Trace.Parent == "" {
		return func() {}
	}
	_, span := t.Start(e.Trace.into(context.Background()), "fan-out", trace.WithSpanKind(trace.SpanKindConsumer), about(e))
	return func() { span.End() }
}

// about has no channel's name: names may tell of people.
func about(e *Event) trace.SpanStartOption {
	return trace.WithAttributes(attribute.String("messaging.system", "roost"), attribute.String("roost.app", e.App),
		attribute.Int("roost.channels", len(e.Channels)), attribute.Int("messaging.message.body.size", len(e.Data)))
}
