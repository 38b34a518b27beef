"""`python -m tests.tidy`: sizes, banned words, homonyms and citations of the source.

Prints what is long. With ``--shrink`` it takes out of the ratchet, ``tests/tidy.toml``,
what has become shorter or is gone; nothing puts anything in but a hand.
"""

import ast
import builtins
import io
import re
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ("fsm", "handlers", "providers", "payment_service", "migrations")
OTHERS: Final = ("tests", "ops")
RATCHET: Final = ROOT / "tests/tidy.toml"

MODULE_LINES_MAX: Final = 300
FUNCTION_LINES_MAX: Final = 40


class Place(NamedTuple):
    """A line of a file, by its path from the root."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Module:
    """A Python file, read once."""

    path: str
    text: str

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def is_source(self) -> bool:
        return self.path.startswith(SOURCES)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))


@cache
def modules() -> tuple[Module, ...]:
    """Return the project's own Python, source first."""
    found = (
        path
        for folder in (*SOURCES, *OTHERS)
        for path in sorted((ROOT / folder).rglob("*.py"))
    )
    return tuple(
        Module(path.relative_to(ROOT).as_posix(), path.read_text()) for path in found
    )


def source() -> Iterator[Module]:
    return (module for module in modules() if module.is_source)


# -- sizes -----------------------------------------------------------------------------


def module_sizes() -> dict[str, int]:
    """Return the lines of each source module; a migration is as long as its SQL."""
    return {
        module.path: module.lines
        for module in source()
        if not module.path.startswith("migrations/versions")
    }


@cache
def function_sizes() -> dict[str, int]:
    """Return the lines of each function of the source, as ``path::Class.name``."""
    return {
        f"{module.path}::{name}": node.end_lineno - node.lineno + 1
        for module in source()
        for name, node in _functions(module.tree)
        if node.end_lineno is not None
    }


def _functions(
    node: ast.AST, within: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        inside = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + child.name, child
            inside = f"{within}{child.name}."
        elif isinstance(child, ast.ClassDef):
            inside = f"{within}{child.name}."
        yield from _functions(child, inside)


# -- homonyms --------------------------------------------------------------------------


@cache
def homonyms() -> dict[str, int]:
    """Return the public class names that several source modules define, with a count.

    A skeleton is what people begin with, in a project of their own.
    """
    found = Counter(
        node.name
        for module in source()
        if "/skeleton/" not in module.path
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name: times for name, times in sorted(found.items()) if times > 1}


# -- words -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """A word that code does not say, with what it says instead."""

    word: str
    instead: str
    where: tuple[str, ...] = SOURCES
    but: tuple[str, ...] = ()
    """Where it may stand; each for a reason that stands there."""

    def holds_in(self, path: str) -> bool:
        return path.startswith(self.where) and path not in self.but


EVERYWHERE: Final = (*SOURCES, *OTHERS)
BANS: Final = (
    Ban(
        word=r"\b(mock|mocker)\.patch\b|\b(Magic|Async)?Mock\b",
        where=EVERYWHERE,
        instead="a fake that has passed the conformance suite",
    ),
    Ban(
        word=r"\bTYPE_CHECKING\b",
        where=EVERYWHERE,
        instead="an import: architecture that the eye cannot see is none",
    ),
    Ban(
        word=r"\.commit\(",
        instead="leaving the block of the session",
        but=("payment_service/storage/session.py",),
    ),
    Ban(
        word=r"\bmetadata import version\b|\bmetadata\.version\(",
        instead="payment_service.release.version",
        but=("payment_service/release.py",),
    ),
    Ban(word=r"\.rowcount\b", instead="RETURNING: after DO NOTHING the count is -1"),
    Ban(word=r"\buuid[14]\b", instead="an id that is derived from its cause"),
    Ban(
        word=r"\b(msg_id|mid|evt|cfg|mgr|tmp|ctx|params?)\b",
        where=("fsm", "handlers"),
        instead="the whole word",
    ),
    Ban(
        word=r"\b(datetime|date)\.(now|today|utcnow)\(|\btime\.(time|monotonic)\(",
        where=("fsm", "handlers"),
        instead="the clock that is handed down",
    ),
    Ban(
        word=r"\bfloat\(|\bround\(|/ 100\b|\bDecimal\(",
        where=("fsm", "handlers", "payment_service/storage/rows.py"),
        instead="integers of the minor unit",
        but=("fsm/domain/rates.py", "fsm/domain/foreign_json.py"),
    ),
    Ban(
        word=r"\bos\.(environ|getenv)\b",
        where=("fsm", "handlers"),
        instead="settings, read at the top and handed down",
    ),
    Ban(word=r"(?i)\b(un)?rung\b|_(un)?rung\b", instead="woken, or overdue"),
    Ban(
        word=r"\b(provider|table)\.plan\b",
        where=EVERYWHERE,
        instead="policy: what a provider promises and how it is asked",
    ),
)
BANNED_COMMENTS: Final = re.compile(r"\b(FIXME|XXX|HACK|TODO)\b")
BANNED_FILES: Final = frozenset(
    {"util", "utils", "helper", "helpers", "common", "base", "manager", "misc", "stuff"}
)


def banned_words() -> list[Place]:
    """Return where code says what it must not; strings and comments may quote it."""
    return [
        Place(module.path, number, f"{found[0]!r}; write {ban.instead}")
        for module in modules()
        if (bans := [ban for ban in BANS if ban.holds_in(module.path)])
        if any(re.search(ban.word, module.text) for ban in bans)
        for number, line in enumerate(_code(module), 1)
        for ban in bans
        if (found := re.search(ban.word, line))
    ]


def unfinished() -> list[Place]:
    """Return the comments that say that something is left to do."""
    return [
        Place(module.path, token.start[0], f"{found[0]}; do it, or say why it is so")
        for module in modules()
        if BANNED_COMMENTS.search(module.text)
        for token in module.tokens
        if token.type == tokenize.COMMENT
        if (found := BANNED_COMMENTS.search(token.string))
    ]


def vague_names() -> list[str]:
    """Return the files whose name says nothing of what is in them."""
    return [
        module.path
        for module in modules()
        if not BANNED_FILES.isdisjoint(Path(module.path).stem.strip("_").split("_"))
    ]


def _code(module: Module) -> list[str]:
    """Return its lines with every string and comment made blank."""
    lines = module.text.splitlines()
    silent = {tokenize.COMMENT, tokenize.STRING}
    silent |= {getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in module.tokens:
        if token.type in silent:
            (first, begin), (last, end) = token.start, token.end
            for number in range(first, last + 1):
                line = lines[number - 1]
                left = begin if number == first else 0
                right = end if number == last else len(line)
                blank = " " * (right - left)
                lines[number - 1] = line[:left] + blank + line[right:]
    return lines


# -- citations -------------------------------------------------------------------------

CONTRACT: Final = ROOT / "docs/contract.md"
RECORDS: Final = ROOT / "ops/decisions"

_CONTRACT: Final = re.compile(
    r"contract(?:,|:)? (?:sections? )?(\d+)(?:(?:, | and )(\d+))*(?![\w-])"
)
_RECORD: Final = re.compile(r"\b(?:decision(?: record)?|record) (\d+)\b", re.IGNORECASE)
_FILE: Final = re.compile(
    r"(?<![\w./{*-])((?:[\w-]+/)+[\w.-]+\.(?:py|md|toml|sql|ya?ml|html|css|mako|conf))\b"
)
_ROLE: Final = re.compile(r":(?:mod|class|func|meth|data|attr):`([\w.]+)`")
_RAISES: Final = re.compile(r":raises ([\w.]+(?:, [\w.]+)*):")
_LINK: Final = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)")
_NUMBER: Final = re.compile(r"\d+")
_DEFINED: Final = re.compile(
    r"\b(?:class|def|import|as|from) (\w+)|^\s*(\w+) ?[:=,]|\.(\w+) ?[:=]",
    re.MULTILINE,
)
_CITES: Final = re.compile(
    "|".join(each.pattern for each in (_CONTRACT, _RECORD, _FILE, _ROLE)), re.IGNORECASE
)


def dangling() -> list[Place]:
    """Return the citations in docstrings and comments that lead nowhere."""
    return [
        Place(module.path, line, problem)
        for module in modules()
        for line, text in _prose(module)
        for problem in _problems(module, text)
    ]


def dangling_links() -> list[Place]:
    """Return the links of the pages to files that are not there."""
    return [
        Place(page.relative_to(ROOT).as_posix(), number, f"no file {link}")
        for page in _pages()
        for number, line in enumerate(page.read_text().splitlines(), 1)
        for link in _LINK.findall(line)
        if not (page.parent / link).exists()
    ]


def _pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *RECORDS.glob("*.md")]


def _prose(module: Module) -> Iterator[tuple[int, str]]:
    """Return its comments and docstrings, also those below a field."""
    if any("#" in line and _CITES.search(line) for line in module.text.splitlines()):
        for token in module.tokens:
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(module.tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text
            case _:
                pass


def _problems(module: Module, text: str) -> Iterator[str]:
    text = " ".join(text.split())
    for found in _CONTRACT.finditer(text):
        for number in _NUMBER.findall(found[0]):
            if int(number) not in contract_sections():
                yield f"the contract has no section {number}"
    for number in _RECORD.findall(text):
        if not any(RECORDS.glob(f"{int(number):04}-*.md")):
            yield f"no decision record {number}"
    for path in _FILE.findall(text):
        if not _is_file(path):
            yield f"no file {path}"
    for name in _ROLE.findall(text):
        if not _is_name(module, name):
            yield f"no name {name}"
    for names in _RAISES.findall(text):
        for name in names.split(", "):
            if not _is_name(module, name):
                yield f"no error {name}"


@cache
def contract_sections() -> frozenset[int]:
    """Return the numbers of the contract's sections."""
    heads = re.findall(r"^#+ (\d+)\.", CONTRACT.read_text(), re.MULTILINE)
    return frozenset(map(int, heads))


@cache
def _is_file(path: str) -> bool:
    ends = f"/{path}"
    return (ROOT / path).exists() or any(
        f"/{known}".endswith(ends) for known in _files()
    )


@cache
def _files() -> tuple[str, ...]:
    folders = (*EVERYWHERE, "docs")
    return tuple(
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.*")
    )


@cache
def _known() -> frozenset[str]:
    """Return the names that a module defines or imports, anywhere."""
    return frozenset(
        name
        for module in modules()
        for found in _DEFINED.findall(module.text)
        for name in found
    )


def _is_name(module: Module, name: str) -> bool:
    """Tell whether a dotted name can be found from where it is cited."""
    if name.startswith("."):
        name = module.path.rpartition("/")[0].replace("/", ".") + name
    *path, last = name.split(".")
    if hasattr(builtins, last):
        return True
    if not path:
        return last in _known()
    found = "/".join(path)
    if _is_file(f"{found}.py") or _is_file(f"{found}/__init__.py"):
        is_module = _is_file(f"{found}/{last}.py") or _is_file(f"{found}/{last}")
        return is_module or any(
            re.search(rf"\b{last}\b", each.text)
            for each in modules()
            if f"/{each.path}".endswith((f"/{found}.py", f"/{found}/__init__.py"))
        )
    if path[0] in EVERYWHERE:
        # One of ours, and the module of a class where there is one.
        return len(path) > 1 and _is_name(module, ".".join(path)) and last in _known()
    if len(path) == 1 and {path[0], last} <= _known():
        return True
    imported = rf"^\s*(?:from|import) {re.escape(path[0])}\b"
    return re.search(imported, module.text, re.MULTILINE) is not None


# -- the ratchet -----------------------------------------------------------------------


@cache
def ratchet() -> dict[str, dict[str, int]]:
    """Return what is allowed to be longer or doubled, until somebody mends it."""
    return tomllib.loads(RATCHET.read_text())


class Measure(NamedTuple):
    """Something that has a limit, and a list of what was over it already."""

    name: str
    limit: int
    of: Callable[[], dict[str, int]]
    room: int
    """What is over the limit is written down as a multiple of it."""

    def over(self) -> dict[str, int]:
        return {each: size for each, size in self.of().items() if size > self.limit}

    def grown(self) -> list[str]:
        """Return what is over the limit, and over what it is allowed."""
        allowed = ratchet()[self.name]
        return [
            f"{each} has {size}, and may have {allowed.get(each, self.limit)}"
            for each, size in self.over().items()
            if size > allowed.get(each, self.limit)
        ]

    def slack(self) -> list[str]:
        """Return what the list allows and need not any more."""
        over = self.over()
        return [each for each in ratchet()[self.name] if each not in over]


MEASURES: Final = (
    Measure("modules", MODULE_LINES_MAX, module_sizes, 20),
    Measure("functions", FUNCTION_LINES_MAX, function_sizes, 5),
    Measure("homonyms", 1, homonyms, 1),
)


def shrink() -> None:
    """Write the ratchet again: no entry more, and none larger."""
    text = [line for line in RATCHET.read_text().splitlines() if line.startswith("#")]
    for measure in MEASURES:
        over = measure.over()
        kept = {
            each: min(allowed, _rounded(over[each], measure.room))
            for each, allowed in sorted(ratchet()[measure.name].items())
            if each in over
        }
        text += ["", f"[{measure.name}]"]
        text += [f'"{each}" = {allowed}' for each, allowed in kept.items()]
    RATCHET.write_text("\n".join(text) + "\n")


def _rounded(size: int, room: int) -> int:
    return -(-size // room) * room


def report() -> str:
    """Tell the sizes, in a few lines."""
    lines = []
    for measure in MEASURES[:2]:
        sizes = sorted(measure.of().values())
        nine = quantiles(sizes, n=10)[-1]
        lines.append(
            f"{measure.name}: {len(sizes)}, median {median(sizes):.0f}, p90 "
            f"{nine:.0f}, most {sizes[-1]}; over {measure.limit}: {len(measure.over())}"
        )
    for measure in MEASURES:
        longest = sorted(measure.over().items(), key=lambda pair: -pair[1])
        lines += [f"\n{measure.name} over {measure.limit}:"]
        lines += [f"{size:6} {each}" for each, size in longest]
    return "\n".join(lines)


if __name__ == "__main__":
    if "--shrink" in sys.argv[1:]:
        shrink()
    sys.stdout.write(f"{report()}\n")
