"""The pages of the repository as tests read them: text, headings, links, commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PUNCTUATION = re.compile(r"[^\w\- ]")


def pages():
    """Return every page for people: top level, docs, decisions, examples."""
    found = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("ops/**/*.md")]
    return sorted(page for page in found if "node_modules" not in page.parts)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def prose_of(page):
    """Return the text without what stands in fences."""
    return _FENCE.sub("", page.read_text())


def links_of(page):
    """Return the targets of links that lead to this repository."""
    found = _LINK.findall(prose_of(page))
    return [link for link in found if "://" not in link and "mailto:" not in link]


def anchors_of(page):
    """Return what the headings are linked by, as GitHub and GitLab make it."""
    return [_anchor(heading) for heading in _HEADING.findall(prose_of(page))]


def _anchor(heading):
    text = re.sub(r"\]\([^)]*\)", "", heading)
    return _PUNCTUATION.sub("", text.lower().strip()).replace(" ", "-")


def commands_of(page) -> Iterator[str]:
    """Yield the commands that a page shows after ``$``, with what goes on below."""
    for block in _CONSOLE.findall(page.read_text()):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ")
            while not _is_whole(command):
                command += "\n" + next(lines)
            yield command


def _is_whole(command):
    try:
        words_of(command)
    except ValueError:  # a quotation goes on
        return False
    return True


def words_of(command):
    """Return the words of a command, its comment left out."""
    return shlex.split(command, comments=True)


def section_of(page, heading):
    """Return what stands below a heading, up to the next of its rank or higher."""
    text = page.read_text()
    rank = heading.split(" ", 1)[0]
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"{name_of(page)} has no {heading!r}"
    return re.split(rf"^#{{1,{len(rank)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows_of(text):
    """Return the cells of the tables' rows in a text, without heads and rules."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            continue
        parts = re.split(r"(?<!\\)\|", line)[1:-1]
        cells = [part.strip().replace(r"\|", "|") for part in parts]
        if all(re.fullmatch(r"-*:?-+:?", cell) for cell in cells):
            rows = rows[:-1]  # the head
        else:
            rows.append(cells)
    return rows


def listed(text):
    """Return what stands between backticks, braces spelt out: ``A_{B,C}`` is two."""
    return [one for code in re.findall(r"`([^`]+)`", text) for one in spelt_out(code)]


def spelt_out(text):
    found = re.search(r"\{([A-Z_,]+)\}", text)
    if found is None:
        return [text]
    head, tail = text[: found.start()], text[found.end() :]
    return [o for part in found[1].split(",") for o in spelt_out(head + part + tail)]
