"""A test that fails once and passes alone is named at the end of the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = """
from pathlib import Path

def test_flaky():
    seen = Path("seen")
    again = seen.exists()
    seen.touch()
    assert again

def test_broken():
    assert not Path("broken").exists()

def test_good():
    pass
"""


@pytest.fixture
def run(tmp_path):
    """Run a suite of three in a folder of its own."""
    (tmp_path / "test_three.py").write_text(TESTS)
    kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:xdist", *arguments],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def again(run):
    return run("-p", "tests.again", "--last-failed", "--last-failed-no-failures=none")


def test_what_passes_alone_is_named_in_the_last_lines(run):
    assert run().returncode == 1

    done = again(run)

    assert done.returncode == 0
    told, _closing = list(filter(None, done.stdout.splitlines()))[-2:]
    assert told == "FLAKY test_three.py::test_flaky"


def test_what_fails_again_is_no_flake(run, tmp_path):
    (tmp_path / "broken").touch()
    run()

    done = again(run)

    assert done.returncode == 1
    assert "FLAKY test_three.py::test_flaky" in done.stdout
    assert "FLAKY test_three.py::test_broken" not in done.stdout
    assert "FAILED test_three.py::test_broken" in done.stdout
