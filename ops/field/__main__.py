"""Installs what `make field` needs, and starts none of it.

Beside the PgBouncer of this Debian it builds the next one's: of a program that changes
as much as its 1.21 did, both are met.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ops.field.programs import PROGRAMS, Missing, cache, newer_pgbouncer, path_of

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\nexit 101\n"
APT = Path("/etc/apt")
RELEASE = Path("/etc/os-release")
NEXT = {"bullseye": "bookworm", "bookworm": "trixie", "trixie": "forky"}
TO_BUILD = ("build-essential", "dpkg-dev", "libevent-dev", "libssl-dev", "pkg-config")
# One line of the older form of apt's sources.
LINE = re.compile(r"^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.+)$", re.MULTILINE)
FIELD = re.compile(r"^([\w-]+):\s*(.*)$", re.MULTILINE)


def main() -> int:
    """Install what is missing; a newer PgBouncer is welcome, and not needed."""
    missing = [p.package for p in PROGRAMS if p.found is None]
    try:
        if missing:
            _install(*missing)
        for program in PROGRAMS:
            print(f"{program.package}: {path_of(program)}")
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    _try_to_build()
    return 0


def _try_to_build() -> None:
    """Build the next Debian's PgBouncer once; if it cannot be, leave word why."""
    because = cache() / "because"
    cache().mkdir(parents=True, exist_ok=True)
    try:
        if not (cache() / "pgbouncer").exists():
            _build(cache())
        because.unlink(missing_ok=True)
        print(f"pgbouncer of the next Debian: {newer_pgbouncer()}")
    except (Missing, OSError) as error:
        because.write_text(str(error))
        print(f"no pgbouncer of the next Debian: {error}", file=sys.stderr)


def _install(*packages: str) -> None:
    if os.geteuid() != 0:
        raise Missing(f"as root: apt-get install {' '.join(packages)}")
    with _no_services():
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)


@contextmanager
def _no_services() -> Iterator[None]:
    """Have packages start nothing: the tests run servers of their own."""
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text(POLICY_TEXT)
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink()


def _build(cache: Path) -> None:
    lacking = [name for name in TO_BUILD if not _installed(name)]
    if lacking:
        _install(*lacking)
    with TemporaryDirectory(prefix="pgbouncer-") as folder:
        place = Path(folder)
        _fetch(place)
        source = place / "source"
        _run("dpkg-source", "-x", str(next(place.glob("*.dsc"))), str(source))
        without = ("--without-cares", "--without-pam", "--without-systemd")
        _run(str(source / "configure"), *without, at=source)
        _run("make", f"-j{os.cpu_count()}", "pgbouncer", at=source)
        # Not found before it is whole.
        shutil.copy2(source / "pgbouncer", cache / "unfinished")
        (cache / "unfinished").rename(cache / "pgbouncer")


def _fetch(place: Path) -> None:
    """Get the source package of the next suite, and leave the machine's apt alone."""
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (place / name).mkdir(parents=True)
    (place / "sources" / "next.sources").write_text(next_source())
    options = [
        "-oDir::Etc::SourceList=/dev/null",
        f"-oDir::Etc::SourceParts={place / 'sources'}",
        f"-oDir::State::Lists={place / 'lists'}",
        f"-oDir::Cache={place / 'cache'}",
        "-oAPT::Sandbox::User=root",
    ]
    _apt(*options, "update")
    _apt(*options, "source", "--download-only", "pgbouncer", at=place)


def next_source() -> str:
    """Return the machine's own source of packages, for the suite after its own."""
    suite = _suite()
    wanted = NEXT.get(suite)
    if wanted is None:
        raise Missing(f"no suite is known that follows {suite or 'this one'}")
    for entry in _entries():
        suites = entry["Suites"].split()
        if suite in suites and "main" in entry["Components"].split():
            changed = {**entry, "Types": "deb-src", "Suites": wanted}
            return "".join(f"{name}: {value}\n" for name, value in changed.items())
    raise Missing(f"apt has no source of packages for {suite}")


def _suite() -> str:
    text = RELEASE.read_text() if RELEASE.exists() else ""
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found[1] if found else ""


def _entries() -> Iterator[dict[str, str]]:
    """Read both forms of apt's sources as that of fields."""
    for file in sorted(APT.glob("sources.list.d/*.sources")):
        for block in re.split(r"\n\s*\n", file.read_text()):
            lines = [ln for ln in block.splitlines() if not ln.startswith("#")]
            fields = dict(FIELD.findall("\n".join(lines)))
            if {"URIs", "Suites", "Components"} <= fields.keys():
                yield fields
    for file in [APT / "sources.list", *APT.glob("sources.list.d/*.list")]:
        text = file.read_text() if file.exists() else ""
        for options, uri, suite, components in LINE.findall(text):
            signed = re.search(r"signed-by=(\S+)", options)
            key = {"Signed-By": signed[1]} if signed else {}
            yield {"URIs": uri, "Suites": suite, "Components": components, **key}


def _installed(package: str) -> bool:
    try:
        return "install ok installed" in _run("dpkg-query", "-Wf=${Status}", package)
    except Missing:
        return False


def _apt(*arguments: str, at: Path | None = None) -> None:
    _run("apt-get", "-qq", *arguments, at=at)


def _run(*argv: str, at: Path | None = None) -> str:
    """Run a program and return what it printed.

    :raises Missing: it is not there, or failed; with its last word.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(  # noqa: S603 - the commands are our own
            argv, cwd=at, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Missing(f"{argv[0]} is missing: this is no Debian") from None
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
        raise Missing(f"{Path(argv[0]).name} failed: {told[-1]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
