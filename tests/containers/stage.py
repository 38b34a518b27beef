"""Runs the image's programs on this machine's network, as its user and environment."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from payment_service.playground.embedded.process import free_port
from tests.containers import cells
from tests.containers.cell import Mount
from tests.containers.cells import Cell, Running
from tests.containers.image import Image

ROOT = Path(__file__).parents[2]
READY_SECONDS_MAX = 90.0
CONFIG = Mount(
    source=str(ROOT / "ops/compose/payment.toml"), target="/etc/payment/payment.toml"
)
SECRETS = {
    "ACME_WHSEC": "whsec_Y29tcG9zZSBvbmx5OiBhY21lIHdlYmhvb2tz",
    "ZETA_WHSEC": "whsec_Y29tcG9zZSBvbmx5OiB6ZXRhIHdlYmhvb2tz",
}


@dataclass(frozen=True, slots=True)
class Docker:
    """Plays ``docker run``, with the network of the host."""

    image: Image
    folder: Path
    mounts: tuple[Mount, ...] = (CONFIG,)

    def cell(self, *argv: str, **env: str) -> Cell:
        """Return a cell for these arguments of the entry point."""
        return self.program(*self.image.entrypoint, *argv, **env)

    def program(self, *argv: str, **env: str) -> Cell:
        """Return a cell for a program in place of the entry point."""
        image = self.image
        return Cell(
            root=str(image.root),
            argv=list(argv),
            env={**image.env, **SECRETS, **env},
            cwd=image.workdir,
            uid=image.uid,
            gid=image.gid,
            mounts=self.mounts,
        )

    def run(self, *argv: str, **env: str):
        """Run a command of the entry point to its end."""
        return cells.run(self.cell(*argv, **env))

    def execute(self, *argv: str, **env: str):
        """Run a program in place of the entry point to its end."""
        return cells.run(self.program(*argv, **env))

    def start(self, *argv: str, **env: str) -> Running:
        """Start a command of the entry point that goes on."""
        return self.begin(self.cell(*argv, **{**self.ports(), **env}))

    def begin(self, cell: Cell) -> Running:
        """Start a cell that goes on."""
        pid_file = str(self.folder / "pid")
        return Running(replace(cell, pid_file=pid_file), self.folder / "log")

    @staticmethod
    def ports() -> dict[str, str]:
        """Return ports that are free on the host's network."""
        names = ("PAYMENT_HTTP_PORT", "PAYMENT_METRICS_PORT")
        return {name: str(free_port()) for name in names}

    def await_health(self, running: Running) -> None:
        """Ask as the image says until it answers that all is well."""
        health = self.image.health
        assert health is not None
        deadline = time.monotonic() + READY_SECONDS_MAX
        while running.execute(*health.test, seconds=health.timeout).returncode != 0:
            assert running.code is None, running.said
            assert time.monotonic() < deadline, running.said
            time.sleep(0.2)
