"""Says in one line what is wrong, where, and how to mend it; never a secret."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fsm.domain.errors import (
    AGAIN,
    FOUND_WRONG,
    WRONG_USAGE,
    AmbiguousOrder,
    BusUnavailable,
    CoreUnavailable,
    NotNow,
    PaymentServiceError,
    Refusal,
    StoreUnavailable,
    UnknownOrder,
)
from fsm.domain.masking import masked_text
from providers.left_out import what_is_left_out

DONE: Final = 0
INTERRUPTED: Final = 130

USAGE: Final = "usage"
SETTINGS: Final = "settings"
NOT_INSTALLED: Final = "not_installed"
NOT_FOUND: Final = "not_found"
AMBIGUOUS: Final = "ambiguous"
NOT_NOW: Final = "not_now"
REFUSED: Final = "refused"
UNREACHABLE: Final = "unreachable"
FAILED: Final = "failed"
KINDS: Final = (
    *(USAGE, SETTINGS, NOT_INSTALLED, NOT_FOUND, AMBIGUOUS, NOT_NOW, REFUSED),
    *(UNREACHABLE, FAILED),
)
"""The codes of errors under ``--json``; docs/contract.md has them."""
_FAMILIES: Final[dict[type[Exception], str]] = {
    AmbiguousOrder: AMBIGUOUS,
    UnknownOrder: NOT_FOUND,
    NotNow: NOT_NOW,
    Refusal: REFUSED,
    StoreUnavailable: UNREACHABLE,
    BusUnavailable: UNREACHABLE,
    CoreUnavailable: UNREACHABLE,
}
_PLACE: Final = re.compile(
    r"(--[a-z][a-z0-9-]*|[A-Z][A-Z_]+|\[[a-z_.0-9]+\][^:]*)(?::| is missing)"
)
_PARTS_MAX: Final = 20
_NOISE: Final = ("(Background on this error", "Is the server running", "LINE ", "^")


class Usage(PaymentServiceError):
    """The command was not given what it needs."""

    says_mend = True
    exit_code = WRONG_USAGE
    kind = USAGE


class Wrong(PaymentServiceError):
    """The command found something wrong, or could not do what was asked.

    What it found is the answer; what it came from may know how that is mended.
    """

    kind: str = FAILED


class NothingFound(Wrong):
    """There is nothing of this id."""

    kind = NOT_FOUND


class NotReached(Wrong):
    """What the command works with gave no answer."""

    kind = UNREACHABLE


@dataclass(frozen=True, slots=True)
class ToldError:
    """What is told of an error: ``kind`` is one of ``KINDS``, ``mend`` may be empty."""

    kind: str
    what: str
    mend: str
    exit_code: int

    @property
    def line(self) -> str:
        """Return it for people."""
        # Who raised it may have known the mend too.
        return self.what if self.mend in self.what else f"{self.what}: {self.mend}"

    def view(self, command: str) -> dict[str, object]:
        """Return it for programs; ``where`` is an option, a setting or the command."""
        place = _PLACE.match(self.what)
        told = {"code": self.kind, "what": self.what}
        told["where"] = place[1] if place else command
        return {
            "error": told | {"mend": self.mend or None, "exit_code": self.exit_code}
        }


def describe(error: Exception) -> ToldError:
    """Say what is wrong, how it is mended and what the command ends with."""
    if (left_out := what_is_left_out(error)) is not None:
        return ToldError(NOT_INSTALLED, left_out, "", WRONG_USAGE)
    code = _code(error)
    text = in_one_line(str(getattr(error, "orig", None) or error))
    if code != WRONG_USAGE and not isinstance(error, PaymentServiceError | OSError):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return ToldError(_kind(error, code), text, _mend(error), code)


def _kind(error: Exception, code: int) -> str:
    for cause in _causes(error):
        known: str | None = getattr(cause, "kind", None)
        if known in KINDS and known != FAILED:
            return known
        for family, kind in _FAMILIES.items():
            if isinstance(cause, family):
                return kind
    if code != WRONG_USAGE:
        return FAILED
    # The other errors of ours that end so are about what is set.
    return SETTINGS if isinstance(error, PaymentServiceError) else USAGE


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
    "NotReached",
    "NothingFound",
    "ToldError",
    "Usage",
    "Wrong",
    "describe",
    "in_one_line",
]
