"""One trace from the request to the notification, across messages and processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import (
    TraceContextTextMapPropagator,
)

from payment_service.domain.masking import masked_text
from payment_service.domain.messages import trace_parent_of

TOLD_LENGTH_MAX: Final = 500
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_TRACER: Final = trace.get_tracer("payment-service")


def configure(*, endpoint: str | None, sample: float) -> TracerProvider:
    """Sample new traces by ``sample``, follow the decision of those that come in."""
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(sample)),
        resource=Resource.create({"service.name": "payment-service"}),
    )
    if endpoint is not None:
        # Its imports take a seventh of a second: only whoever exports pays for them.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )

        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))
        )
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def span(
    name: str, trace_parent: str | None = None, *, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[str | None]:
    """Open a span below ``trace_parent``; give the ``traceparent`` for what follows."""
    # A sender has written it, and what it is not must not go on with the order.
    trace_parent = trace_parent_of(trace_parent)
    carrier = {} if trace_parent is None else {"traceparent": trace_parent}
    context = _PROPAGATOR.extract(carrier) if carrier else None
    with _TRACER.start_as_current_span(
        masked_text(name),
        context=context,
        kind=kind,
        # By itself it keeps the message and the stack of what was raised, unmasked.
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield current_trace_parent() or trace_parent
        except Exception as failure:
            told = masked_text(f"{type(failure).__name__}: {failure}")
            begun.set_status(StatusCode.ERROR, told[:TOLD_LENGTH_MAX])
            raise


def current_trace_parent() -> str | None:
    """Return the ``traceparent`` of the span at work, for calls and messages."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")
