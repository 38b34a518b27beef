"""What had to be changed of streams and consumers, and what could not be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fsm.domain.errors import BusUnavailable

ENSURE_ATTEMPTS_MAX: Final = 5
SPEC: Final = "`payment-service spec streams` prints what to make"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyChange:
    """Something ``ensure`` had to do."""

    name: str
    what: str


class TopologyRefused(BusUnavailable):
    """A stream or consumer is not as it must be, and stays so.

    `changes` are those that were made all the same: one that is refused stops no other.
    """

    mend = SPEC

    def __init__(
        self, problems: Sequence[str], changes: Sequence[TopologyChange] = ()
    ) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.changes = tuple(changes)


def told(lacking: Mapping[str, object], live: Mapping[str, object]) -> str:
    """Say in words what would be changed."""
    return "; ".join(
        f"{key} is {live.get(key)!r}, not {value!r}" for key, value in lacking.items()
    )


def texts(value: object) -> list[str]:
    """Return the texts of a list as it was in JSON; none where it is no list."""
    return [str(item) for item in value] if isinstance(value, list) else []
