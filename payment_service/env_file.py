"""Reads the ``.env`` file; a line that is no ``NAME=value`` is told by its number."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from providers.files import read_text


class UnreadableFile(Exception):
    """The file is there and cannot be used; a problem names it, and no value."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def read_env_file(path: Path, *, ours: str) -> dict[str, str]:
    """Return what the file sets, empty values too; nothing where there is no file.

    Who sets a name twice that begins with ``ours`` is told: one of them is forgotten.

    :raises UnreadableFile: it is no text, or has lines that set nothing.
    """
    try:
        text = read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UnreadableFile(f"{path}: cannot be read: {error.strerror}") from None
    if problems := [f"{path} {told}" for told in _problems(text, ours)]:
        raise UnreadableFile(*problems)
    told = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in told.items() if value is not None}


def _problems(text: str, ours: str) -> Iterator[str]:
    seen: dict[str, Binding] = {}
    for binding in parse_stream(StringIO(text)):
        name, line = binding.key, _line(binding)
        if binding.error or (name is not None and binding.value is None):
            yield f"line {line}: must be NAME=value"
        if name is None:
            continue
        before = seen.setdefault(name, binding)
        if name.upper().startswith(ours) and before.value != binding.value:
            yield f"line {line}: {name} is set in line {_line(before)} already"


def _line(binding: Binding) -> int:
    """Return where the statement is, not the empty lines before it."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + blank.count("\n")
