"""What a .dockerignore keeps from the builder: the last rule that matches decides."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_TOKEN = re.compile(r"\*\*/?|\*|\?|[^*?]+")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    keeps: bool
    first: str
    """The name at the top that it can match below, "" where that may be any."""

    def matches(self, path: PurePosixPath) -> bool:
        """Match the path, or a folder above it."""
        return any(map(self.pattern.fullmatch, map(str, (path, *path.parents))))


def sent(context: Path) -> Iterator[PurePosixPath]:
    """Yield the files that a builder is given, relative to the context."""
    rules = _rules((context / ".dockerignore").read_text())
    for folder, folders, names in os.walk(context):
        here = PurePosixPath(os.path.relpath(folder, context))
        folders[:] = [name for name in folders if _may_hold(here / name, rules)]
        yield from (here / name for name in names if not _left_out(here / name, rules))


def _rules(text: str) -> list[Rule]:
    lines = (line.strip() for line in text.splitlines())
    return [_rule(line) for line in lines if line and not line.startswith("#")]


def _rule(line: str) -> Rule:
    glob = line.removeprefix("!").strip("/")
    tokens = _TOKEN.findall(glob)
    pattern = "".join(_MEANING.get(token) or re.escape(token) for token in tokens)
    top = glob.partition("/")[0]
    return Rule(
        re.compile(pattern),
        line.startswith("!"),
        "" if "*" in top or "?" in top else top,
    )


def _left_out(path: PurePosixPath, rules: list[Rule]) -> bool:
    deciding = [rule for rule in rules if rule.matches(path)]
    return bool(deciding) and not deciding[-1].keeps


def _may_hold(folder: PurePosixPath, rules: list[Rule]) -> bool:
    """Look whether anything below could be kept; .venv is large."""
    if not _left_out(folder, rules):
        return True
    return any(rule.keeps and rule.first in {"", folder.parts[0]} for rule in rules)
