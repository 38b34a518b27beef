"""What an examination finds, in the words of the table that it prints."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``mend`` says what to do about it."""

    area: str
    what: str
    state: Severity
    told: str
    mend: str = ""

    def view(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Area:
    """Makes the findings of one area."""

    name: str

    def ok(self, what: str, told: str) -> Finding:
        """Report that it is as it should be."""
        return Finding(self.name, what, Severity.OK, told)

    def advice(self, what: str, told: str, mend: str) -> Finding:
        """Report that it works, and could be better."""
        return Finding(self.name, what, Severity.ADVICE, told, mend)

    def wrong(self, what: str, told: str, mend: str) -> Finding:
        """Report that it must be mended."""
        return Finding(self.name, what, Severity.WRONG, told, mend)
