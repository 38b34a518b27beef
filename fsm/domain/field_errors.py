"""What is wrong with a request, and where: a JSON pointer, or a parameter by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LISTED_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with a request.

    ``where`` is its place for people, as ``cascade[0].sla``. Programs find it by
    ``pointer`` (RFC 6901: ``/cascade/0/sla``; empty: the whole body) or by the name of
    a ``parameter`` of the path, the query or the headers.
    """

    detail: str
    where: str = ""
    pointer: str | None = None
    parameter: str | None = None

    def __str__(self) -> str:
        """Return it as a line for people."""
        return f"{self.where}: {self.detail}" if self.where else self.detail

    def plainly(self) -> dict[str, str]:
        """Return it as JSON, as problem documents have it (RFC 9457, 3)."""
        told = {"pointer": self.pointer, "parameter": self.parameter}
        given = {name: value for name, value in told.items() if value is not None}
        return {**given, "detail": self.detail}


def in_body(
    path: Sequence[int | str], detail: str, *, where: str | None = None
) -> FieldError:
    """Return an error at a place of the body; ``where`` is what people call it."""
    called = _dotted(path) if where is None else where
    return FieldError(detail, called, pointer=pointer_to(path))


def in_parameter(name: str, detail: str) -> FieldError:
    """Return an error in a parameter."""
    return FieldError(detail, name, parameter=name)


def pointer_to(path: Sequence[int | str]) -> str:
    """Return the JSON pointer of a path into a body."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts)


def _dotted(path: Sequence[int | str]) -> str:
    parts = (f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return "".join(parts).removeprefix(".")


def listed_errors(errors: Iterable[FieldError]) -> list[dict[str, str]]:
    """Return errors as JSON, each once; of many, how many more there are."""
    once = [each.plainly() for each in dict.fromkeys(errors)]
    left = len(once) - LISTED_MAX
    more = [{"detail": f"and {left} more"}] if left > 0 else []
    return once[:LISTED_MAX] + more
