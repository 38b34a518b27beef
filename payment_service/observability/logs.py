"""JSON logs: one line an event, ids bound to the context, nothing secret in it."""

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Final, cast

import orjson
import structlog

TEXT_MAX: Final = 2000
HIDDEN: Final = frozenset({"token", "authorization", "secret", "signature", "password"})
_CARD: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])", re.ASCII)
_KEYS: Final = ("order_id", "queue_id", "task_id", "trace_id")


def configure(level: str = "info") -> None:
    """Send every log line, also those of libraries, through one JSON encoder."""
    lines = cast("BinaryIO", Lines(sys.stdout.buffer))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _complete,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.BytesLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )
    handler = _Forward()
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class Lines:
    """Where the log goes; a pipe that broke or a full disk never stops the work."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        """Write a line, or lose it."""
        with suppress(OSError, ValueError):
            self._stream.write(line)

    def flush(self) -> None:
        """Flush what was written, or lose it."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Forward(logging.Handler):
    """Gives what libraries log to structlog, as a value and never as the event."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning(
            "library.logged", library=record.name, text=record.getMessage()
        )


def _complete(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    for key in _KEYS:
        event.setdefault(key, None)
    return {name: masked(value, name) for name, value in event.items()}


def masked(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any value of a line
    """Return the value with secrets hidden, card numbers masked and text cut."""
    if name in _KEYS:
        return value  # an id may well look like a card number
    if name.lower() in HIDDEN:
        return "***"
    if isinstance(value, str):
        return _CARD.sub(_mask_card, value[:TEXT_MAX])
    if isinstance(value, Mapping):
        return {key: masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value


def _mask_card(found: re.Match[str]) -> str:
    digits = [int(c) for c in found[0] if c.isdigit()]
    doubled = [d * 2 - 9 if d * 2 > 9 else d * 2 for d in digits[-2::-2]]  # noqa: PLR2004
    is_card = (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    return "***" if is_card else found[0]


def _encode(event: Any, **_: Any) -> bytes:  # noqa: ANN401 - structlog's own types
    return orjson.dumps(event, default=str)
