"""What holds of every folder that a command writes to begin with."""

import subprocess
import sys

from tests.cli.stage import ROOT


def run(folder, *command, seconds=60):
    """Run a module of Python in a folder, as a person would there."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def check_it_is_its_own(written):
    """Hold that nothing of the skeleton is left in a new folder, and that it lints."""
    for path in written.rglob("*"):
        if path.is_file():
            assert "acme" not in path.read_text().lower(), path
            assert "acme" not in path.name

    config = str(ROOT / "pyproject.toml")
    checked = run(written, "ruff", "check", "--config", config, ".")
    formatted = run(written, "ruff", "format", "--check", "--config", config, ".")

    assert checked.returncode == 0, checked.stdout
    assert formatted.returncode == 0, formatted.stdout
