"""Plants a bug in the process of a suite that has to catch it."""

import os

import pytest

from tests.planted.bugs import BUGS
from tests.planted.catching import PLANTED


def pytest_configure() -> None:
    BUGS[os.environ[PLANTED]].plant(pytest.MonkeyPatch())
