"""One trace from the request to the notification, across messages and processes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace.propagation.tracecontext import (
    TraceContextTextMapPropagator,
)

from fsm.domain.masking import masked, masked_text
from fsm.domain.messages import trace_parent_of

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_TRACER: Final = trace.get_tracer("payment-service")
_SAID: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)
"""What the span at work is called, written once for all that its work sends."""


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
            BatchSpanProcessor(MaskingExporter(OTLPSpanExporter(endpoint=endpoint)))
        )
    trace.set_tracer_provider(provider)
    return provider


class MaskingExporter(SpanExporter):
    """Exports spans without what must not be seen, in the exporter's own thread.

    The web framework notes paths and queries by itself, and every span that fails the
    message and the stack of what was raised.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export copies of them."""
        return self._exporter.export([_shown(each) for each in spans])

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the exporter send what it holds."""
        return self._exporter.force_flush(timeout_millis)


def _shown(begun: ReadableSpan) -> ReadableSpan:
    told = begun.status.description
    return ReadableSpan(
        name=masked_text(begun.name),
        context=begun.context,
        parent=begun.parent,
        resource=begun.resource,
        attributes=_attributes(begun.attributes),
        events=[
            Event(each.name, _attributes(each.attributes), each.timestamp)
            for each in begun.events
        ],
        links=begun.links,
        kind=begun.kind,
        status=Status(begun.status.status_code, told and masked_text(told)),
        start_time=begun.start_time,
        end_time=begun.end_time,
        instrumentation_scope=begun.instrumentation_scope,
    )


def _attributes(found: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: masked(value, name) for name, value in (found or {}).items()}


@contextmanager
def span(
    name: str, trace_parent: str | None = None, *, kind: SpanKind = SpanKind.INTERNAL
) -> Iterator[str | None]:
    """Open a span below ``trace_parent``; give the ``traceparent`` for what follows."""
    # A sender has written it, and what it is not must not go on with the order.
    trace_parent = trace_parent_of(trace_parent)
    carrier = {} if trace_parent is None else {"traceparent": trace_parent}
    context = _PROPAGATOR.extract(carrier) if carrier else None
    with _TRACER.start_as_current_span(name, context=context, kind=kind):
        said = _said_now()
        written = _SAID.set(said)
        try:
            yield said or trace_parent
        finally:
            _SAID.reset(written)


def current_trace_parent() -> str | None:
    """Return the ``traceparent`` of the span at work, for calls and messages."""
    return _SAID.get() or _said_now()


def _said_now() -> str | None:
    # As the propagator writes it, which for each call out also looks for a tracestate.
    at_work = trace.get_current_span().get_span_context()
    if not at_work.is_valid:
        return None
    ids = f"{at_work.trace_id:032x}-{at_work.span_id:016x}"
    return f"00-{ids}-{at_work.trace_flags:02x}"
