"""The ``traceparent`` of the work at hand is what the propagator would send."""

from opentelemetry.trace.propagation.tracecontext import (
    TraceContextTextMapPropagator,
)

from payment_service.observability import tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_it_is_as_the_propagator_writes_it():
    tracing.configure(endpoint=None, sample=0.0)
    for parent in (None, PARENT):
        with tracing.span("order.task.step.due", parent) as told:
            carrier: dict[str, str] = {}
            TraceContextTextMapPropagator().inject(carrier)

            assert tracing.current_trace_parent() == told == carrier["traceparent"]


def test_there_is_none_where_nothing_is_at_work():
    assert tracing.current_trace_parent() is None


def test_what_is_within_another_has_a_name_of_its_own_and_gives_it_back():
    tracing.configure(endpoint=None, sample=0.0)
    with tracing.span("outer", PARENT) as outer:
        with tracing.span("inner", outer) as inner:
            assert tracing.current_trace_parent() == inner != outer
        assert tracing.current_trace_parent() == outer
    assert tracing.current_trace_parent() is None
