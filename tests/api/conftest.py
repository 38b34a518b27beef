import pytest

from tests.api.fakes import World


@pytest.fixture
def world():
    return World()
