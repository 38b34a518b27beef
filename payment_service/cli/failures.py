"""Says in one line what is wrong, where, and how to mend it; never a secret."""

from collections.abc import Iterator
from typing import Final

from fsm.domain.masking import masked_text

DONE: Final = 0
FOUND_WRONG: Final = 1
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130

_PARTS_MAX: Final = 20
_USAGE: Final = frozenset(
    {"SettingsError", "ConfigError", "BadConfigError", "Usage", "ValueError"}
)
# By name: what can fail is not imported for commands in which it cannot.
_MEND: Final = {
    "Unfit": "",  # it says so itself
    "UndefinedTable": "run `payment-service migrate`",
    "InsufficientPrivilege": "grant it to the user of PAYMENT_DATABASE_URL",
    "StoreUnavailable": "see PAYMENT_DATABASE_URL, and whether PostgreSQL runs",
    "OperationalError": "see PAYMENT_DATABASE_URL, and whether PostgreSQL runs",
    "JetStreamRefused": "see whether JetStream is enabled, and its limits",
    "BusUnavailable": "see PAYMENT_NATS_URL, and whether NATS runs with JetStream",
    "OldServer": "install a newer nats-server",
}
_SPEAKS_FOR_ITSELF: Final = frozenset(
    {"PaymentServiceError", "SchemaBehind", "EmbeddedServerError", "OSError", "Wrong"}
)
_NOISE: Final = ("(Background on this error", "Is the server running", "LINE ", "^")


class Usage(Exception):
    """The command was not given what it needs."""


class Wrong(Exception):
    """The command found something wrong, or could not do what was asked."""


def told(error: Exception) -> tuple[str, int]:
    """Return the line for people and the exit code."""
    names = [kind.__name__ for kind in type(error).__mro__]
    usage = not _USAGE.isdisjoint(names)
    text = in_one_line(str(getattr(error, "orig", None) or error))
    if not usage and _SPEAKS_FOR_ITSELF.isdisjoint(names):
        text = f"{names[0]}: {text}" if text else names[0]
    known = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    mend = next((mend for name, mend in _MEND.items() if name in known), "")
    # Who raised it may have known the mend too.
    said = mend in text
    return text if said else f"{text}: {mend}", WRONG_USAGE if usage else FOUND_WRONG


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
