"""The pages about speed, made of the benchmark results that are on disk.

``docs/performance.md`` has all figures; the README has two lines of them.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ops.bench import results
from ops.bench.targets import Figure, table

BEGIN: Final = "<!-- bench:begin -->"
END: Final = "<!-- bench:end -->"
SHORT_BEGIN: Final = "<!-- bench-short:begin -->"
SHORT_END: Final = "<!-- bench-short:end -->"
SECTIONS: Final = (
    (
        "throughput",
        "Throughput: two providers decline, the third pays",
    ),
    ("wal", "What a withdrawal writes ahead"),
    ("latency", "Latency, one withdrawal at a time"),
    ("beside", "The unit one at a time, beside the bare loop and Restate"),
    ("growth", "Beside a million orders that wait"),
    ("timers", "Timers due in the same second"),
    ("webhooks", "Webhooks into one API process"),
    ("memory", "Memory"),
    ("start", "Start"),
    ("checkouts", "Checkouts: one at a time with services of 50 ms, and many at once"),
    ("saved", "Checkouts of which one step call in a hundred fails"),
    ("links", "Partner links, with a partner that answers at once"),
    ("executor", "Fetches that depend on each other, at once and one after another"),
)
PLOTS: Final = ("throughput.svg", "latency.svg")


def section(page: Path = Path("docs/performance.md")) -> str:
    """Return all figures between their markers, pictures linked as from the page."""
    found = [(title, results.read(name)) for name, title in SECTIONS]
    measured = [(title, result) for title, result in found if result is not None]
    parts = [BEGIN, *(_intro(result) for _, result in measured[:1])]
    for title, result in measured:
        parts += [f"**{title}**", table(results.figures_of(result))]
    pictures = [
        f"![{Path(name).stem}]({_link(results.RESULTS / name, page)})"
        for name in PLOTS
        if (results.RESULTS / name).is_file()
    ]
    return "\n\n".join([*parts, *pictures, END]) + "\n"


def _intro(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"Measured on one machine with {machine['processors']} cores, which also runs "
        "PostgreSQL (fsync on), nats-server, the load and the other side of the calls "
        f"({result['mocks']}), with Python {machine['python']}. The bare loop makes "
        "the same calls and writes, without rules, outbox, traces, logs or recovery. "
        "`make bench` repeats it."
    )


def short(_page: Path | None = None) -> str:
    """Return the two lines for the first page, between their markers."""
    found = _figures("throughput") | _figures("latency")
    told = [SHORT_BEGIN]
    if {"service, 1 worker ÷ bare loop", "unit, p50"} <= found.keys():
        told += [_throughput(found), _latency(found)]
    return "\n".join([*told, SHORT_END]) + "\n"


def _throughput(found: Mapping[str, Figure]) -> str:
    beside = found["service, 1 worker ÷ bare loop"].value
    peer = found.get("service, 1 worker ÷ DBOS")
    also = f", {peer.value:.0f} times those of DBOS" if peer else ""
    return (
        f"- {found['service, 1 worker'].value:.0f} withdrawals a second with three "
        "providers each, on two cores that also run PostgreSQL, NATS and the load: "
        f"{beside:.2f} of what a bare loop of the same calls and writes does{also}."
    )


def _latency(found: Mapping[str, Figure]) -> str:
    p50, p99 = (found[f"unit, {each}"].value for each in ("p50", "p99"))
    return (
        f"- One at a time: {p50:.1f} ms from the request to the final event (p50; p99 "
        f"{p99:.1f} ms). [All figures](docs/performance.md), and `make bench` to "
        "repeat them."
    )


def _figures(name: str) -> dict[str, Figure]:
    result = results.read(name)
    figures = results.figures_of(result) if result else []
    return {figure.name: figure for figure in figures}


def _link(file: Path, page: Path) -> str:
    return Path(os.path.relpath(file.resolve(), page.resolve().parent)).as_posix()


SLOTS: Final[tuple[tuple[str, str, Callable[[Path], str]], ...]] = (
    (BEGIN, END, section),
    (SHORT_BEGIN, SHORT_END, short),
)


def filled(text: str, page: Path) -> str | None:
    """Return a page's text with the figures in it; None where it has no markers."""
    found = False
    for begin, end, made in SLOTS:
        head, has_begin, rest = text.partition(begin)
        _, has_end, tail = rest.partition(end)
        if has_begin and has_end:
            text, found = head + made(page).rstrip("\n") + tail, True
    return text if found else None


def write(page: Path) -> bool:
    """Put the figures between what markers a page has; tell whether it has any."""
    text = filled(page.read_text(), page)
    if text is not None:
        page.write_text(text)
    return text is not None
