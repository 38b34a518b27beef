"""Both images, once for the whole run, built by the Dockerfile's own lines."""

import fcntl
import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers import cells, machine
from tests.containers.image import Image, build
from tests.playground.embedded.processes import memory_folder

ROOT = Path(__file__).parents[2]
SERVICE, PLAYGROUND = "service", "playground"
"""The targets of the Dockerfile."""
REQUIRED = "PAYMENT_TESTS_REQUIRE_CONTAINERS"
"""Set where a machine that cannot play containers is an error, as in `.ci/run`."""


@pytest.fixture(scope="session")
def built() -> Iterator[Path]:
    """Return the folder of what the processes of this run build once and share."""
    if reason := cells.impossible():
        refuse = pytest.fail if os.environ.get(REQUIRED) else pytest.skip
        refuse(f"no container can be played here: {reason}")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    place = memory_folder() or Path(tempfile.gettempdir())
    for left in place.glob("containers-*"):
        _remove_unless_used(left)
    folder = place / f"containers-{run}"
    with _used(folder):
        yield folder


@pytest.fixture(scope="session")
def base(built: Path) -> Path:
    """Return the root of the stand-in for the base image."""
    return built / "base"


@pytest.fixture(scope="session")
def images_built(built) -> dict[str, Image]:
    """Return what the Dockerfile makes, by the target."""
    found = pickle.loads((built / "images").read_bytes())  # noqa: S301 - our own
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="session")
def image(images_built: dict[str, Image]) -> Image:
    """Return the service's image, which is made where no target is named."""
    return images_built[SERVICE]


@pytest.fixture(scope="session")
def playground(images_built: dict[str, Image]) -> Image:
    """Return the image that has the simulated core and providers too."""
    return images_built[PLAYGROUND]


@contextmanager
def _used(folder: Path) -> Iterator[None]:
    """Build what is in it before the first use, and remove it after the last."""
    folder.mkdir(exist_ok=True)
    with _users(folder) as users:
        if not users:
            machine.make(folder / "base")
            targets = (SERVICE, PLAYGROUND)
            images = build(ROOT, folder, folder / "base", targets=targets)
            (folder / "images").write_bytes(pickle.dumps(images))
        users.append(os.getpid())
    yield
    with _users(folder) as users:
        users[:] = [pid for pid in users if pid != os.getpid()]
    _remove_unless_used(folder)


@contextmanager
def _users(folder: Path) -> Iterator[list[int]]:
    """Have the numbers of the processes that use it; one of them at a time."""
    with (folder / "users").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users = [int(pid) for pid in file.read().split() if Path("/proc", pid).exists()]
        yield users
        file.truncate(0)
        file.write(" ".join(map(str, users)))


def _remove_unless_used(folder: Path) -> None:
    with _users(folder) as users:
        if not users:
            shutil.rmtree(folder)
