"""The README's section about speed, made of the results that are on disk."""

from pathlib import Path
from typing import Any, Final

from ops.bench import results
from ops.bench.targets import table

BEGIN: Final = "<!-- bench:begin -->"
END: Final = "<!-- bench:end -->"
SECTIONS: Final = (
    (
        "throughput",
        "Throughput: two providers decline, the third pays",
    ),
    ("latency", "Latency, one withdrawal at a time"),
    ("growth", "Beside a million orders that wait"),
    ("timers", "Timers due in the same second"),
    ("webhooks", "Webhooks into one API process"),
    ("memory", "Memory"),
    ("start", "Start"),
)
PLOTS: Final = ("throughput.svg", "latency.svg")


def section() -> str:
    """Return the section between its markers."""
    found = [(title, results.read(name)) for name, title in SECTIONS]
    measured = [(title, result) for title, result in found if result is not None]
    parts = [BEGIN, *(_intro(result) for _, result in measured[:1])]
    for title, result in measured:
        parts += [f"**{title}**", table(results.figures_of(result))]
    pictures = [
        f"![{Path(name).stem}](ops/bench/results/{name})"
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


def write(readme: Path) -> bool:
    """Put the section into a page that has the markers; tell whether it has."""
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    readme.write_text(before + section().rstrip("\n") + after)
    return True
