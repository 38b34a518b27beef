"""docs/installing.md is followed: the wheel is made, installed, and what it is for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from payment_service.release import version
from tests.docs.pages import DOCS, ROOT, commands_of

PAGE = DOCS / "installing.md"
SECONDS_MAX = 180
LOCKS = "requirements*.lock"


def shown(begins):
    """Return the page's commands that begin so, in its order."""
    return [each for each in commands_of(PAGE) if each.startswith(begins)]


@pytest.fixture
def folder(tmp_path):
    """Give what a checkout gives to whoever installs: the locks, and the wheel."""
    for lock in ROOT.glob(LOCKS):
        shutil.copy(lock, tmp_path)
    [build] = shown("uv build")
    run(build.replace("dist", str(tmp_path / "dist")), tmp_path, cwd=ROOT)
    return tmp_path


def run(command, folder, *, cwd=None):
    """Run what the page shows with tools that put everything into this folder."""
    own = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    places = {
        "PATH": own,
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder / "bin"),
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(folder / "bin"),
    }
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=cwd or folder,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_is_a_tool_without_a_checkout(folder):
    alone, whole = shown("uv tool install")
    [asked] = shown("payment-service --version")

    run(alone, folder)
    assert run(asked, folder).split() == ["payment-service", version()]

    run(whole, folder)
    [played] = shown("payment-service demo")
    assert "--orders" in run(f"{played} --help", folder)
