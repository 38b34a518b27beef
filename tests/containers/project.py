"""Plays ``docker compose up`` and ``down``: a cell a container, all on one bridge."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.containers.cell import Mount
from tests.containers.cells import Cell, Running
from tests.containers.compose import DONE, HEALTHY, Service, services
from tests.containers.dockerfile import NotUnderstoodError
from tests.containers.image import Health, Image
from tests.containers.images import Played

STAND_INS = Path(__file__).with_name("stand_ins")
SUBNET = "10.177.0"
BRIDGE = "br0"
UP_SECONDS_MAX = 150.0
NO_ANSWER = 124


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str

    @property
    def json(self):
        return json.loads(self.body)


@dataclass(eq=False)
class Container:
    """One replica of a service."""

    service: Service
    address: str
    running: Running
    health: Health | None
    stop_signal: int
    healthy: bool = False
    checks: list[int] = field(default_factory=list)
    _unwatched: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def watch(self) -> None:
        """Ask how it is, as often as the file says, until it ends."""
        if self.health is not None:
            self._watcher = threading.Thread(target=self._watch, args=[self.health])
            self._watcher.start()

    def end(self) -> None:
        """End whatever of it is left."""
        self._unwatched.set()
        self.running.kill()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self, health: Health) -> None:
        while not self._unwatched.wait(health.interval) and self.running.code is None:
            self.checks.append(self._check(health))
            if self.checks[-1] == 0:
                self.healthy = True
            elif 0 not in self.checks[-health.retries :]:
                self.healthy = False

    def _check(self, health: Health) -> int:
        try:
            return self.running.execute(*health.test, seconds=health.timeout).returncode
        except subprocess.TimeoutExpired:
            return NO_ANSWER


class Project:
    """A compose project in namespaces of its own; leaving it ends whatever is left."""

    def __init__(
        self, file: Path, env: Mapping[str, str], images: Mapping[str, Played | None]
    ) -> None:
        self.services = {service.name: service for service in services(file, env)}
        self.containers: list[Container] = []
        self._source = file.parent
        self._images = {name: _image(s, images) for name, s in self.services.items()}
        self._host: subprocess.Popen[bytes] | None = None
        self._published: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for container in self.containers:
            container.end()
        for process in self._published:
            process.kill()
            process.wait()
        if self._host is not None:
            with self._host:
                self._host.kill()

    def up(self, folder: Path, **scale: int) -> None:
        """Start each service once what it depends on is as far as the file says."""
        self._folder = folder
        self._lay_network()
        hosts = self._write_hosts(scale)
        for name, service in self.services.items():
            if self._images[name] is not None:
                for needed, condition in service.depends_on.items():
                    self._await(needed, condition)
                for address in self._addresses[name]:
                    self._start(service, address, hosts)

    def of(self, name: str) -> list[Container]:
        """Return the replicas of a service."""
        return [each for each in self.containers if each.service.name == name]

    def volume(self, name: str) -> Path:
        """Return where a named volume is kept."""
        return self._folder / "volumes" / name

    def await_health(self) -> None:
        """Wait until every check has said that all is well."""
        for container in self.containers:
            if container.health is not None:
                self._await(container.service.name, HEALTHY)

    def ask(self, method: str, url: str, body: str | None = None, **headers: str):
        """Send a request from the host, as with curl."""
        asked = {"method": method, "url": url, "body": body, "headers": headers}
        program = [sys.executable, "-I", str(STAND_INS / "ask.py"), json.dumps(asked)]
        done = subprocess.run(
            [*self._enter_host(), *program], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return Answer(**json.loads(done.stdout))

    def down(self) -> dict[str, list[int]]:
        """Stop as compose does, dependents first; return the exit codes."""
        codes: dict[str, list[int]] = {}
        for name in reversed(self.services):
            stopping = [threading.Thread(target=_stop, args=[c]) for c in self.of(name)]
            for thread in stopping:
                thread.start()
            for thread in stopping:
                thread.join()
            codes[name] = [c.running.wait(0) for c in self.of(name)]
        return codes

    def _lay_network(self) -> None:
        # It ends with us: the pipe closes.
        hold = ["unshare", "--net", "sh", "-c", "echo; exec cat"]
        self._host = subprocess.Popen(
            hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._host.stdout is not None
        self._host.stdout.readline()
        for command in (
            "link set lo up",
            f"link add {BRIDGE} type bridge forward_delay 0",
            f"address add {SUBNET}.1/24 dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ):
            subprocess.run([*self._enter_host(), "ip", *command.split()], check=True)

    def _enter_host(self) -> list[str]:
        assert self._host is not None
        return ["nsenter", f"--net=/proc/{self._host.pid}/ns/net"]

    def _write_hosts(self, scale: Mapping[str, int]) -> Path:
        """Give every container an address; the name of a service means all of its."""
        numbers = iter(range(2, 250))
        self._addresses = {
            name: [f"{SUBNET}.{next(numbers)}" for _ in range(scale.get(name, 1))]
            for name in self.services
        }
        lines = ["127.0.0.1 localhost"]
        for name, addresses in self._addresses.items():
            lines += [f"{address} {name}" for address in addresses]
        hosts = self._folder / "hosts"
        hosts.write_text("\n".join(lines) + "\n")
        return hosts

    def _start(self, service: Service, address: str, hosts: Path) -> None:
        played = self._images[service.name]
        assert played is not None
        image = played.image
        # A new entry point takes the image's command away with its own.
        command = image.command if service.entrypoint is None else ()
        entrypoint = (
            image.entrypoint if service.entrypoint is None else service.entrypoint
        )
        number = address.rpartition(".")[2]
        cell = Cell(
            root=str(image.root),
            argv=[
                *entrypoint,
                *(command if service.command is None else service.command),
            ],
            env={**image.env, **service.env},
            cwd=image.workdir,
            uid=image.uid,
            gid=image.gid,
            init=service.init,
            mounts=(
                *played.mounts,
                *self._mounts(service, image),
                _hosts(hosts),
            ),
            hostname=f"{service.name}-{number}",
            bridge=BRIDGE,
            address=f"{address}/24",
            pid_file=str(self._folder / f"pid-{number}"),
            read_only=service.confined.read_only,
            tmpfs=service.confined.tmpfs,
            capabilities=service.confined.capabilities,
            no_new_privileges=service.confined.no_new_privileges,
            descriptors_max=service.confined.descriptors_max,
        )
        log = self._folder / f"{service.name}-{number}.log"
        container = Container(
            service=service,
            address=address,
            running=Running(cell, log, within=self._enter_host()),
            health=(service.health or image.health) if service.asks_health else None,
            stop_signal=getattr(signal, image.stop_signal),
        )
        self.containers.append(container)
        container.watch()
        for port in service.ports:
            self._publish(port, address)

    def _mounts(self, service: Service, image: Image) -> list[Mount]:
        mounts = []
        for volume in service.volumes:
            source = self._source / volume.source
            if volume.named:
                source = self.volume(volume.source)
                _take_over(image.root / volume.target.lstrip("/"), source)
            # Docker would make a folder of that name, and the service find no file.
            assert source.exists(), f"{service.name}: {volume.source} is not there"
            mounts.append(
                Mount(
                    source=str(source.resolve()),
                    target=volume.target,
                    writable=volume.writable,
                )
            )
        return mounts

    def _publish(self, port: tuple[str, int, int], address: str) -> None:
        host, at, leads_to = port
        program = [sys.executable, "-I", str(STAND_INS / "publish.py")]
        where = [host, str(at), address, str(leads_to)]
        self._published.append(
            subprocess.Popen([*self._enter_host(), *program, *where])
        )

    def _await(self, name: str, condition: str) -> None:
        deadline = time.monotonic() + UP_SECONDS_MAX
        while not all(_is_met(each, condition) for each in self.of(name)):
            for each in self.of(name):
                ended = each.running.code
                assert ended is None or (condition == DONE and ended == 0), (
                    f"{name} ended with {ended}:\n{each.running.said}"
                )
                assert time.monotonic() < deadline, (
                    f"{name} is not {condition}: {each.checks}\n{each.running.said}"
                )
            time.sleep(0.05)


def _take_over(folder: Path, source: Path) -> None:
    """Make a named volume that is new: it belongs to who owns the image's folder."""
    if source.exists():
        return
    source.mkdir(parents=True)
    if folder.is_dir():
        its = folder.stat()
        source.chmod(its.st_mode)
        os.chown(source, its.st_uid, its.st_gid)


def _argv(service: Service, image: Image) -> list[str]:
    if service.entrypoint is not None:
        # It takes the image's command away with its entry point.
        return [*service.entrypoint, *(service.command or ())]
    command = image.command if service.command is None else service.command
    return [*image.entrypoint, *command]


def _is_met(container: Container, condition: str) -> bool:
    if condition == DONE:
        return container.running.code == 0
    return container.healthy if condition == HEALTHY else True


def _stop(container: Container) -> None:
    container.running.stop(container.stop_signal)


def _hosts(file: Path) -> Mount:
    return Mount(source=str(file), target="/etc/hosts")


def _image(service: Service, images: Mapping[str, Played | None]) -> Played | None:
    name = service.image
    if name not in images:
        raise NotUnderstoodError(f"{service.name}: nothing stands in for {name}")
    return images[name]
