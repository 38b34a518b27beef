"""A stand-in for ``python:3.11.7-slim-bookworm``, made of the machine's own files.

It holds what Debian's minimal system does by dpkg's own records, the certificates and
this Python at ``/usr/local``. Whatever else the machine has (compilers, curl, git) is
not in it, so that a tool nobody has declared is missing here as it is there.
"""

import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

STATUS = Path("/var/lib/dpkg/status")
BEYOND_REQUIRED = ("ca-certificates", "netbase", "tzdata")
LEFT_OUT = re.compile(r"/usr/share/(doc|man|info|locale|lintian|bug)/|/etc/ssl/certs/")
MERGED = ("bin", "sbin", "lib", "lib64")
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
HOME = "/root"
"""Of who builds, in the image."""
IMAGE = f"python:{platform.python_version()}-slim-bookworm"
"""The tag of what stands here; another patch of the same Python plays as well."""
PLAYED = re.compile(rf"python:{re.escape(PYTHON[6:])}\.\d+-slim-bookworm")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""What the image itself sets."""

NOT_IN_THE_IMAGE = (
    "test",
    "tests",
    "idle_test",
    "__pycache__",
    "site-packages",
    "dist-packages",
)
LIBRARY = re.compile(r"=> (/\S+)|^\s(/\S+)", re.MULTILINE)


def lacking() -> str:
    """Say what the machine lacks for a stand-in; nothing where it can make one."""
    if not STATUS.is_file():
        return "the base image is put together by dpkg's records, and there are none"
    missing = [name for name in BEYOND_REQUIRED if name not in _installed()]
    if missing:
        return f"the base image has the Debian packages {', '.join(missing)}"
    return ""


def make(root: Path) -> None:
    """Put the image's files into the folder."""
    _skeleton(root)
    _copy(root, _debian_files())
    _python(root)
    shutil.copytree(
        "/etc/ssl/certs",
        root / "etc/ssl/certs",
        ignore_dangling_symlinks=True,
        dirs_exist_ok=True,
    )
    for name in ("passwd", "group"):
        master = root / f"usr/share/base-passwd/{name}.master"
        shutil.copy(master, root / "etc" / name)
    (root / "etc/shadow").write_text("root:*:20000:0:99999:7:::\n")
    (root / "etc/gshadow").write_text("root:*::\n")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    _pip(root)


def _skeleton(root: Path) -> None:
    for name in (
        "dev",
        "proc",
        "sys",
        "run",
        "root",
        "home",
        "usr",
        "etc",
        "var/tmp",
        "tmp",
    ):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    (root / "root").chmod(0o700)
    for name in MERGED:
        (root / "usr" / name).mkdir()
        (root / name).symlink_to(f"usr/{name}")
    shutil.copytree("/etc/alternatives", root / "etc/alternatives", symlinks=True)


def _copy(root: Path, files: Iterable[Path]) -> None:
    for file in files:
        place = root / file.relative_to("/")
        if place.is_symlink() or (place.exists() and not file.is_dir()):
            continue
        if file.is_dir() and not file.is_symlink():
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(file.stat().st_mode & 0o7777)
        elif file.is_symlink() or file.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place, follow_symlinks=False)


def _debian_files() -> Iterator[Path]:
    told = subprocess.run(
        ["dpkg-query", "--listfiles", *_minimal()],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in told.splitlines():
        if line.startswith("/") and line != "/." and not LEFT_OUT.match(line):
            yield Path(line)


def _minimal() -> list[str]:
    """Return the packages of Debian's minimal system, and all that they depend on."""
    installed = _installed()
    required = [
        n for n, about in installed.items() if about.get("Priority") == "required"
    ]
    found: set[str] = set()
    open_ = [*required, *BEYOND_REQUIRED]
    while open_:
        name = open_.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        about = installed[name]
        needs = f"{about.get('Depends', '')},{about.get('Pre-Depends', '')}"
        open_ += re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", needs)
    return sorted(found - {"perl", "debconf-2.0"})


def _installed() -> dict[str, dict[str, str]]:
    found = {}
    for stanza in STATUS.read_text(errors="replace").split("\n\n"):
        about = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if about.get("Status", "").endswith(" installed"):
            found[about["Package"]] = about
    return found


def _python(root: Path) -> None:
    prefix = Path(sys.base_prefix)
    local = root / "usr/local"
    (local / "bin").mkdir(parents=True)
    shutil.copy2((prefix / "bin" / PYTHON).resolve(), local / "bin" / PYTHON)
    for name in ("python3", "python"):
        (local / "bin" / name).symlink_to(PYTHON)
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        local / "lib" / PYTHON,
        ignore=shutil.ignore_patterns(*NOT_IN_THE_IMAGE, "config-*"),
    )
    (local / "lib" / PYTHON / "site-packages").mkdir()
    _libraries(root, local)


def _libraries(root: Path, local: Path) -> None:
    """Add what Python and its modules are linked to."""
    modules = sorted((local / "lib" / PYTHON / "lib-dynload").glob("*.so"))
    told = subprocess.run(
        [
            "ldd",
            str(Path(sys.base_prefix, "bin", PYTHON).resolve()),
            *map(str, modules),
        ],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    for found in {Path(a or b) for a, b in LIBRARY.findall(told)}:
        if found.name.startswith("libpython"):
            shutil.copy2(found.resolve(), local / "lib" / found.name)
        elif not (place := root / found.relative_to("/")).exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found.resolve(), place)


def _pip(root: Path) -> None:
    """Install the pip that Python brings, as the image does."""
    subprocess.run(
        ["chroot", str(root), "python", "-m", "ensurepip", "--default-pip"],
        check=True,
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1", "HOME": HOME},
    )
