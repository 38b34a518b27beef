"""Runs one program as a container would: own root, mounts, processes and network.

Started by path as a process, so it imports nothing but the standard library. It ends
as the program ends, passes SIGTERM on, and takes the program along when it dies.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NEW_MOUNTS, NEW_NAMES, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_PROCESSES, NEW_NETWORK = 0x20000000, 0x40000000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
DIE_WITH_PARENT, DROP_FROM_BOUNDS, NO_NEW_PRIVILEGES = 1, 24, 38
CAPABILITIES = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "SETGID": 6, "SETUID": 7}
CAPABILITIES_END = 64
INVALID = 22
NOT_FOUND, NOT_EXECUTABLE = 127, 126
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}
SHM_SIZE = "size=64m"
"""What Docker gives."""

LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to run, and in which surroundings.

    ``layered`` leaves the root as it is: what is written goes to memory. ``address``
    is the cell's on the bridge of the network that it is started in, as "10.1.2.3/24";
    without one it shares that network.
    """

    root: str
    argv: list[str]
    env: dict[str, str]
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    layered: bool = True
    read_only: bool = False
    init: bool = False
    mounts: tuple[Mount, ...] = ()
    hostname: str = "cell"
    bridge: str = ""
    address: str = ""
    pid_file: str = ""
    tmpfs: tuple[str, ...] = ()
    capabilities: tuple[str, ...] | None = None
    """Those that it may have, of :data:`CAPABILITIES`; None leaves all."""
    no_new_privileges: bool = False
    descriptors_max: int | None = None


def main(spec: Spec) -> int:
    _prctl(DIE_WITH_PARENT, signal.SIGKILL)
    _unshare(spec)
    root = _furnish(spec)
    first = os.fork()
    if first == 0:
        _run_first(spec, root)
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(first, number))
    if spec.pid_file:
        unfinished = Path(f"{spec.pid_file}.unfinished")
        unfinished.write_text(str(first))
        unfinished.rename(spec.pid_file)
    return _code(os.waitpid(first, 0)[1])


def _unshare(spec: Spec) -> None:
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    network = NEW_NETWORK if spec.address else 0
    _call("unshare", NEW_MOUNTS | NEW_NAMES | NEW_IPC | network)
    LIBC.sethostname(spec.hostname.encode(), len(spec.hostname))
    if spec.address:
        # Its name in the bridge's network; a link's may have 15 characters.
        plug = f"v{os.getpid()}"
        link = f"link add {plug} type veth peer name eth0 netns {os.getpid()}"
        _ip(link, outside)
        _ip(f"link set {plug} master {spec.bridge} up", outside)
        _ip(f"address add {spec.address} dev eth0")
        _ip("link set eth0 up")
        _ip("link set lo up")
    # Last: the next process to be made is process 1.
    _call("unshare", NEW_PROCESSES)


def _ip(command: str, network: int | None = None) -> None:
    entered = () if network is None else ("nsenter", f"--net=/proc/self/fd/{network}")
    subprocess.run(
        [*entered, "ip", *command.split()],
        check=True,
        pass_fds=() if network is None else (network,),
    )


def _furnish(spec: Spec) -> str:
    """Put the root together in a mount namespace of its own; return where it is."""
    _mount("none", "/", "", RECURSIVE | PRIVATE)
    root = spec.root
    if spec.layered:
        # On the image itself: nobody else sees what is mounted here.
        scratch = f"{spec.root}.scratch"
        Path(scratch).mkdir(exist_ok=True)
        _mount("tmpfs", scratch, "tmpfs")
        upper, work, root = f"{scratch}/upper", f"{scratch}/work", f"{scratch}/root"
        for folder in (upper, work, root):
            Path(folder).mkdir(mode=0o755)
        options = f"lowerdir={spec.root},upperdir={upper},workdir={work}"
        _mount("overlay", root, "overlay", 0, options)
    else:
        _mount(root, root, "", BIND)
    _devices(root)
    for mount in spec.mounts:
        _bind(mount.source, f"{root}{mount.target}", writable=mount.writable)
    for target in spec.tmpfs:
        Path(f"{root}{target}").mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", f"{root}{target}", "tmpfs", 0, "mode=1777")
    if spec.read_only:
        _mount("none", root, "", REMOUNT | READ_ONLY)
    return root


def _devices(root: str) -> None:
    dev = f"{root}/dev"
    _mount("tmpfs", dev, "tmpfs", 0, "mode=755")
    for name in DEVICES:
        _bind(f"/dev/{name}", f"{dev}/{name}", writable=True)
    for name, place in LINKS.items():
        Path(dev, name).symlink_to(f"/proc/self/fd{place}")
    Path(dev, "shm").mkdir()
    _mount("tmpfs", f"{dev}/shm", "tmpfs", 0, f"mode=1777,{SHM_SIZE}")


def _bind(source: str, target: str, *, writable: bool) -> None:
    place = Path(target)
    if not place.exists():
        folder = place if Path(source).is_dir() else place.parent
        folder.mkdir(parents=True, exist_ok=True)
        if folder is not place:
            place.touch()
    _mount(source, target, "", BIND | RECURSIVE)
    if not writable:
        _mount(source, target, "", BIND | REMOUNT | READ_ONLY)


def _run_first(spec: Spec, root: str) -> None:
    """Be process 1: the program itself, or with ``init`` one that looks after it."""
    _prctl(DIE_WITH_PARENT, signal.SIGKILL)
    Path(f"{root}/proc").mkdir(exist_ok=True)
    _mount("proc", f"{root}/proc", "proc")
    os.chroot(root)
    os.chdir(spec.cwd)
    _limit(spec)
    os.setgroups([])
    os.setgid(spec.gid)
    os.setuid(spec.uid)
    if spec.no_new_privileges:
        _prctl(NO_NEW_PRIVILEGES, 1)
    # A change of user takes the death signal back.
    _prctl(DIE_WITH_PARENT, signal.SIGKILL)
    os.umask(0o022)
    if spec.init and (program := os.fork()):
        os._exit(_look_after(program))
    _execute(spec)


def _limit(spec: Spec) -> None:
    """Take away what the program must never have, also as root."""
    if spec.descriptors_max is not None:
        # A machine may allow no more itself, and let nobody raise it.
        _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = min(spec.descriptors_max, allowed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    if spec.capabilities is None:
        return
    kept = {CAPABILITIES[name] for name in spec.capabilities}
    for number in range(CAPABILITIES_END):
        if number not in kept and LIBC.prctl(DROP_FROM_BOUNDS, number, 0, 0, 0) != 0:
            if ctypes.get_errno() == INVALID:
                return  # the kernel knows no more
            raise OSError(ctypes.get_errno(), f"capability {number} stays")


def _look_after(program: int) -> int:
    """Do as tini does: pass signals on, bury the dead, end with the program."""
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(program, number))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == program:
            return _code(status)


def _execute(spec: Spec) -> None:
    try:
        os.execvpe(spec.argv[0], spec.argv, spec.env)  # noqa: S606 - that is the point
    except FileNotFoundError:
        sys.stderr.write(f"{spec.argv[0]}: executable file not found in $PATH\n")
        os._exit(NOT_FOUND)
    except OSError as error:
        sys.stderr.write(f"{spec.argv[0]}: {error.strerror}\n")
        os._exit(NOT_EXECUTABLE)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _mount(source: str, target: str, kind: str, flags: int = 0, options: str = ""):
    words = (word.encode() for word in (source, target, kind))
    _call("mount", *words, ctypes.c_ulong(flags), options.encode())


def _prctl(option: int, value: int) -> None:
    _call("prctl", option, value, 0, 0, 0)


def _call(name: str, *arguments) -> None:
    if getattr(LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def spec_from(text: str) -> Spec:
    fields = json.loads(text)
    mounts = tuple(Mount(**mount) for mount in fields.pop("mounts"))
    return Spec(**fields, mounts=mounts)  # lists stand where the tuples were


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main(spec_from(sys.argv[1])))
