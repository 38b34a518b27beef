"""The threat model names all six places, and only tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/threat-model.md").read_text()
ROWS = [line.split("|") for line in TEXT.splitlines() if line.startswith("| ")][2:]


def test_every_place_has_its_row():
    places = " ".join(row[1] for row in ROWS)

    assert len(ROWS) == 6
    for place in ("TCP port", "requests", "NATS", "API", "shell", "database"):
        assert place in places


def test_every_row_names_tests_that_there_are():
    for row in ROWS:
        named = re.findall(r"`(tests/[^`]+\.py)`", row[3])
        assert named, row[1]
        assert [path for path in named if not (ROOT / path).is_file()] == []
