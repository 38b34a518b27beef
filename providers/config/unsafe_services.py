"""What would cost money or hang an order in the tables of services, and why."""

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from fsm.domain.durations import format_duration
from providers.config.services import CAN_BE_UNDONE, NO_RETURN, ServiceTable
from providers.config.values import HEADER_VALUE

DEFAULT_DEPTH_MAX: Final = 8
OF_STEPS: Final = ("deadline", "asks", "default")

Problems = Iterator[tuple[str, str]]


def unsafe_service(table: ServiceTable, ack_wait: timedelta) -> Problems:
    """Name what is wrong with a service's table, by its keys."""
    yield from unsafe_timeout(table.timeout, ack_wait)
    yield from _unsafe_token(table)
    yield from _unsafe_retry(table)
    if not table.is_step:
        for key in OF_STEPS:
            if key in table.model_fields_set:
                yield key, f"has no meaning: {table.name} is loaded, and is no step"
    elif table.default is not None:
        yield from _unsafe_default(table)


def _unsafe_token(table: ServiceTable) -> Problems:
    if table.token is None:
        return
    if not HEADER_VALUE.fullmatch(table.token.get_secret_value()):
        yield "token", "must be printable ASCII, and not empty"
    if "authorization" in {name.lower() for name in table.headers}:
        yield "headers", "must not have an Authorization beside token"


def _unsafe_retry(table: ServiceTable) -> Problems:
    if table.retry.first > table.retry.max:
        yield "retry.first", "must not be longer than retry.max"
    if table.deadline is not None and table.deadline <= table.timeout:
        yield "deadline", "must be longer than timeout: one call may take as long"
    if table.deadline is not None and table.deadline <= table.retry.first:
        yield (
            "deadline",
            "must be longer than retry.first: nothing is tried again",
        )


def _unsafe_default(table: ServiceTable) -> Problems:
    """Refuse a default for what must be known for certain, and one that never holds."""
    default = table.default
    if default is None:
        return
    if table.name in CAN_BE_UNDONE:
        yield "default", f"must not be there: {table.name} has an undo, and is undone"
    if table.name in NO_RETURN:
        yield "default", f"must not be there: there is no return after {table.name}"
    if table.deadline is not None and default.after > table.deadline:
        limit = format_duration(table.deadline)
        yield "default.after", f"must not be longer than deadline ({limit})"
    yield from _unlike_json(default.result, "default.result", DEFAULT_DEPTH_MAX)


def _unlike_json(value: object, key: str, depth: int) -> Problems:
    """Name what TOML has and JSON has not: times, dates, NaN and infinity."""
    if depth == 0:
        yield key, f"must not be nested deeper than {DEFAULT_DEPTH_MAX}"
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _unlike_json(inner, f"{key}.{name}", depth - 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unlike_json(inner, f"{key}[{number}]", depth - 1)
    elif isinstance(value, str):
        if "\0" in value:
            yield key, "must have no NUL character"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield key, "must be a finite number"
    elif not isinstance(value, int):
        yield key, "must be text, a number, true or false"
    elif not -(2**63) <= value < 2**63:
        yield key, "must fit into 64 bits"


def unsafe_timeout(timeout: timedelta, ack_wait: timedelta) -> Problems:
    """Refuse a call that could outlive the delivery of the message it is made for."""
    if timeout >= ack_wait:
        limit = format_duration(ack_wait)
        yield "timeout", f"must be shorter than PAYMENT_ACK_WAIT ({limit})"
