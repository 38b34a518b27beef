"""What embedded servers have in common: a folder, a port and a way to end."""

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from payment_service.playground.embedded.process import (
    Command,
    EmbeddedServerError,
    ServerProcess,
    StartFailedError,
    free_port,
    is_free,
)

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
BIND_ATTEMPTS: Final = 5


class EmbeddedServer(ABC):
    """A server that lives in a folder and dies with the process that started it.

    Without a folder it gets a temporary one, `within` another if that is given, which
    :meth:`close` removes. The port is kept over restarts, so clients reconnect; it is
    the one that it `prefers`, where that is free.
    """

    name: ClassVar[str]
    port_is_taken: ClassVar[str]
    """What the log says where somebody else was faster."""

    def __init__(
        self, folder: Path | None, within: Path | None, prefers: int | None = None
    ) -> None:
        self._is_temporary = folder is None
        self._folder = folder
        self._within = within
        self._prefers = prefers
        self._port: int | None = None
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    def folder(self) -> Path:
        """Holds all that the server writes, its log included."""
        if self._folder is None:
            prefix = f"payment-service-{self.name.lower()}-"
            self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=self._within))
            # PostgreSQL may run as another user, who has to pass through.
            self._folder.chmod(0o711)
        return self._folder

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name.lower()}.log"

    @property
    def port(self) -> int:
        if self._port is None:
            raise EmbeddedServerError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EmbeddedServerError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Return when the server answers; a running one is left alone."""
        if not self.running:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._prepare()
            self._launch()

    def stop(self) -> None:
        """Disconnect everybody, write everything down, end."""
        if self._process is not None:
            self._process.stop(seconds=STOP_SECONDS)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """End as in a power cut: every process at once, nothing written down."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def close(self) -> None:
        """Stop, and remove the folder if it was a temporary one."""
        self.stop()
        if self._is_temporary and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @abstractmethod
    def _prepare(self) -> None:
        """Bring the folder into the state that a start needs."""

    @abstractmethod
    def _command(self) -> Command:
        """Return what to run on :attr:`port`."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tell whether the process just started, and no other, answers."""

    def _orphans(self) -> tuple[Path, ...]:
        return (self.folder,) if self._is_temporary else ()

    def _launch(self) -> None:
        if self._port is not None:
            self._launch_here()
            return
        for attempt in range(BIND_ATTEMPTS):
            self._port = self._preferred() if attempt == 0 else free_port()
            try:
                self._launch_here()
            except StartFailedError as error:
                self._port = None
                if self.port_is_taken not in error.log_tail:
                    raise
            else:
                return
        raise EmbeddedServerError(
            f"{self.name} lost the race for a port {BIND_ATTEMPTS} times"
        )

    def _preferred(self) -> int:
        wanted = self._prefers
        return wanted if wanted is not None and is_free(wanted) else free_port()

    def _launch_here(self) -> None:
        self.log.write_bytes(b"")
        self._process = ServerProcess(self._command())
        self._process.wait_until(self._is_ready, seconds=START_SECONDS)
