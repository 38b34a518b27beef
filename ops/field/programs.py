"""The programs of Debian that the tests of `make field` run, and where they are."""

import os
from dataclasses import dataclass
from pathlib import Path

HOW = "`make field` gets it, as root"


@dataclass(frozen=True, slots=True)
class Program:
    """Something that is run, and the package it is in."""

    package: str
    path: str

    @property
    def found(self) -> Path | None:
        """Where it is; of several versions the newest."""
        return max(Path("/").glob(self.path.lstrip("/")), default=None)


PGBOUNCER = Program("pgbouncer", "/usr/sbin/pgbouncer")
HAPROXY = Program("haproxy", "/usr/sbin/haproxy")
POSTGRES = Program("postgresql", "/usr/lib/postgresql/*/bin/postgres")
TINYPROXY = Program("tinyproxy-bin", "/usr/bin/tinyproxy")
PROGRAMS = (PGBOUNCER, HAPROXY, POSTGRES, TINYPROXY)


class Missing(Exception):
    """A program is not on this machine; it says how to get it."""


def path_of(program: Program) -> Path:
    """Return where a program is.

    :raises Missing: it has to be installed first.
    """
    if program.found is None:
        name = program.package
        raise Missing(f"{name} is missing: apt-get install {name}; {HOW}")
    return program.found


def newer_pgbouncer() -> Path:
    """Return where the PgBouncer of the next Debian is, once it was built.

    :raises Missing: it was not, or could not be; the file beside it says why.
    """
    program, because = cache() / "pgbouncer", cache() / "because"
    if program.exists():
        return program
    said = because.read_text() if because.exists() else f"{HOW}"
    raise Missing(f"the next Debian's PgBouncer is missing: {said}")


def cache() -> Path:
    """Return the folder for what was built, outside of the repository."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "payment-service-field"
