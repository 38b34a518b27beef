"""Results on disk: one JSON file a command, which the report reads again."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ops.bench.targets import Figure, table

FOLDER: Final = "PAYMENT_BENCH_RESULTS"
"""Of the environment: a folder for the results other than the repository's."""

RESULTS: Final = Path(os.environ.get(FOLDER) or Path(__file__).parent / "results")


def keep(
    name: str,
    figures: Sequence[Figure],
    details: Mapping[str, object],
    *,
    mocks: str,
) -> None:
    """Write a result and print its table."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "mocks": mocks,
        "figures": [figure.as_json() for figure in figures],
        **details,
    }
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(result, indent=1, sort_keys=False) + "\n")
    if figures:
        print(table(figures))


def machine() -> dict[str, object]:
    """Return what the figures were measured on, without saying whose it is."""
    return {
        "processors": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def read(name: str) -> dict[str, Any] | None:
    """Return a result, or None where it was not measured here."""
    file = RESULTS / f"{name}.json"
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def figures_of(result: Mapping[str, Any]) -> list[Figure]:
    """Return the figures of a result."""
    names = ("name", "value", "unit", "at_most", "at_least", "note")
    return [Figure(*(each[name] for name in names)) for each in result["figures"]]
