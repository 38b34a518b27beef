"""Reads a Dockerfile and a .dockerignore; what it does not understand it names."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

MAY_SAY = {
    "FROM": (),
    "RUN": (),
    "COPY": ("from",),
    "ENV": (),
    "WORKDIR": (),
    "USER": (),
    "ENTRYPOINT": (),
    "CMD": (),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "retries"),
    "STOPSIGNAL": (),
    "LABEL": (),
    "EXPOSE": (),
}
"""What is replayed, with its flags."""

_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")


class NotUnderstoodError(Exception):
    """The replay would do something else than a builder does, so it does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    word: str
    rest: str
    line: int
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Return the program of an exec form, or the shell of a shell form."""
        if self.rest.startswith("["):
            argv: list[str] = json.loads(self.rest)
            return argv
        return ["/bin/sh", "-c", self.rest]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)

    @property
    def pairs(self) -> dict[str, str]:
        if any("=" not in word for word in self.words):
            raise NotUnderstoodError(
                f"line {self.line}: {self.word} without name=value"
            )
        return dict(word.split("=", 1) for word in self.words)

    def exec_form(self) -> list[str]:
        """Return the program; a shell in between would keep signals to itself."""
        if not self.rest.startswith("["):
            raise NotUnderstoodError(f"line {self.line}: {self.word} in the shell form")
        return self.argv


def instructions(text: str) -> list[Instruction]:
    return [_instruction(line, number) for number, line in _joined(text)]


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield each instruction on one line, with the number of its first."""
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (parts or line.strip()):
            continue
        first = first if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield first, "".join(parts).strip()
            parts = []


def _instruction(line: str, number: int) -> Instruction:
    word, _, rest = line.partition(" ")
    word, rest = word.upper(), rest.strip()
    if word not in MAY_SAY:
        raise NotUnderstoodError(f"line {number}: {word} is not replayed")
    flags = {}
    while flag := _FLAG.match(rest):
        flags[flag[1]] = flag[2] or ""
        rest = rest[flag.end() :]
    if unknown := sorted(flags.keys() - set(MAY_SAY[word])):
        raise NotUnderstoodError(
            f"line {number}: {word} --{unknown[0]} is not replayed"
        )
    return Instruction(word=word, rest=rest, line=number, flags=flags)
