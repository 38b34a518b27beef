"""Names of subjects and streams, so that several environments share one NATS."""

import re
from dataclasses import dataclass
from typing import Final

PLAIN_WORD: Final = r"[A-Za-z0-9_-]{1,64}"
TOKENS_MAX: Final = 16

_PREFIX: Final = re.compile(PLAIN_WORD)
_SUBJECT: Final = re.compile(rf"{PLAIN_WORD}(?:\.{PLAIN_WORD}){{0,{TOKENS_MAX - 1}}}")


def is_subject(text: str) -> bool:
    """Tell whether a message may be published there: plain tokens, no wildcard."""
    return _SUBJECT.fullmatch(text) is not None


def matches(pattern: str, subject: str) -> bool:
    """Tell whether a subject is one that the pattern means, as a subscription does."""
    wanted, parts = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        if len(parts) < len(wanted):
            return False
        wanted = wanted[:-1]
        parts = parts[: len(wanted)]
    return len(wanted) == len(parts) and all(
        token in {"*", part} for token, part in zip(wanted, parts, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Puts the environment's prefix before names, and takes it away again."""

    prefix: str = ""

    def __post_init__(self) -> None:
        if self.prefix and _PREFIX.fullmatch(self.prefix) is None:
            message = f"subject prefix {self.prefix!r} is not of [A-Za-z0-9_-]"
            raise ValueError(message)

    def subject(self, bare: str) -> str:
        return f"{self.prefix}.{bare}" if self.prefix else bare

    def stream(self, bare: str) -> str:
        return f"{self.prefix}_{bare}" if self.prefix else bare

    def bare(self, subject: str) -> str:
        """Return a subject as the code knows it, whatever environment this is."""
        return subject.removeprefix(f"{self.prefix}.") if self.prefix else subject
