"""Says in one line what is wrong, where, and how to mend it; never a secret."""

import sys
from collections.abc import Iterator
from typing import Final

from fsm.domain.errors import AGAIN, FOUND_WRONG, WRONG_USAGE, PaymentServiceError
from fsm.domain.masking import masked_text
from providers.left_out import what_is_left_out

DONE: Final = 0
INTERRUPTED: Final = 130

_PARTS_MAX: Final = 20
_NOISE: Final = ("(Background on this error", "Is the server running", "LINE ", "^")


class Usage(PaymentServiceError):
    """The command was not given what it needs."""

    says_mend = True
    exit_code = WRONG_USAGE


class Wrong(PaymentServiceError):
    """The command found something wrong, or could not do what was asked.

    What it found is the answer; what it came from may know how that is mended.
    """


def describe(error: Exception) -> tuple[str, int]:
    """Return the line for people and the exit code."""
    if (left_out := what_is_left_out(error)) is not None:
        return left_out, WRONG_USAGE
    code = _code(error)
    text = in_one_line(str(getattr(error, "orig", None) or error))
    if code != WRONG_USAGE and not isinstance(error, PaymentServiceError | OSError):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    mend = _mend(error)
    # Who raised it may have known the mend too.
    return (text if mend in text else f"{text}: {mend}"), code


def _code(error: Exception) -> int:
    if isinstance(error, PaymentServiceError):
        return error.exit_code
    # What people type is read by what raises these.
    return WRONG_USAGE if isinstance(error, ValueError) else FOUND_WRONG


def _mend(error: Exception) -> str:
    """Return the nearest thing to do that anything in the chain of causes knows.

    PostgreSQL's own code says more than that it was PostgreSQL.
    """
    known: list[str] = []
    for cause in _causes(error):
        if isinstance(cause, PaymentServiceError):
            if cause.says_mend:
                return ""
            known.append(cause.mend)
        elif _is_postgres(cause):
            # Who has it has imported this too; other commands need not.
            from payment_service.storage import postgres_errors  # noqa: PLC0415

            if mend := postgres_errors.mend_of(cause):
                return mend
            known.append(postgres_errors.mend_of_connection(cause))
    last = AGAIN if AGAIN in known else ""
    return next((each for each in known if each and each != AGAIN), last)


def _is_postgres(cause: BaseException) -> bool:
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(cause, psycopg.Error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_PARTS_MAX):
        if error is None:
            return
        yield error
        original = getattr(error, "orig", None)
        if isinstance(original, BaseException):
            yield original
        error = error.__cause__


def in_one_line(text: str) -> str:
    """Join the lines of a message, without what must not be seen."""
    lines = (line.strip() for line in text.splitlines())
    parts = [line for line in lines if line and not line.startswith(_NOISE)]
    shown = parts[:_PARTS_MAX]
    if len(parts) > len(shown):
        shown.append(f"and {len(parts) - len(shown)} more")
    return masked_text("; ".join(dict.fromkeys(shown)))


__all__ = [
    "DONE",
    "FOUND_WRONG",
    "INTERRUPTED",
    "WRONG_USAGE",
    "Usage",
    "Wrong",
    "describe",
    "in_one_line",
]
