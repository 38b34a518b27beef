"""JSON logs: one line an event, ids bound to the context, nothing secret in it."""

import logging
import sys
from contextlib import suppress
from typing import Any, BinaryIO, Final, cast

import orjson
import structlog

from fsm.domain.masking import masked, masked_text

TEXT_MAX: Final = 2000
_HIDDEN_MAX: Final = 500
_OURS: Final = frozenset({"event", "level", "timestamp"})
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
    return {
        name: value if name in _OURS else _shown(value, name)
        for name, value in event.items()
    }


def _shown(value: object, name: str) -> object:
    """Return a value without what must not be seen, and a text of it cut."""
    if isinstance(value, str) and len(value) > TEXT_MAX:
        return masked(_begun(value), name)
    shown = masked(value, name)
    return shown[:TEXT_MAX] if isinstance(shown, str) else shown


def _begun(text: str) -> str:
    """Return the first of a text, and no half of what would be hidden whole."""
    hidden = masked_text(text[: 2 * TEXT_MAX])
    return (hidden[:-_HIDDEN_MAX] if len(text) > 2 * TEXT_MAX else hidden)[:TEXT_MAX]


def _encode(event: Any, **_: Any) -> bytes:  # noqa: ANN401 - structlog's own types
    return orjson.dumps(event, default=str)
