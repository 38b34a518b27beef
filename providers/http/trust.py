"""Whom TLS trusts: the system's authorities, or those of one file alone."""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from providers.files import read_bytes

_CERTIFICATE: Final = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END [^-]*-----", re.DOTALL
)

FILE: Final = "SSL_CERT_FILE"
FOLDERS: Final = "SSL_CERT_DIR"

_READ: Final[dict[tuple[object, ...], ssl.SSLContext]] = {}
"""The system's authorities as they were read last, by what says which they are."""


def system_trust() -> ssl.SSLContext:
    """Return what trusts the system's authorities; they are read when they change.

    Reading all of them takes as long as a hundred calls. Whoever asks is given the
    same one, and may not change it.
    """
    found = _READ.get(which := _authorities())
    if found is None:
        found = ssl.create_default_context()
        # Without a descriptor to read them by it knows nobody: the next one asks again.
        if found.cert_store_stats()["x509_ca"]:
            _READ.clear()
            _READ[which] = found
    return found


def _authorities() -> tuple[object, ...]:
    """Return what changes where OpenSSL would read other certificates."""
    paths = ssl.get_default_verify_paths()
    places = [Path(place) for place in (paths.cafile, paths.capath) if place]
    stats = [place.stat() for place in places if place.exists()]
    named = (os.environ.get(FILE), os.environ.get(FOLDERS))
    return (*named, *((at.st_ino, at.st_size, at.st_mtime_ns) for at in stats))


def trusting(authority: str | Path) -> ssl.SSLContext:
    """Return what trusts the certificates of this PEM file, and nobody else.

    One that stands in the file is trusted even where another issued it.

    :raises OSError: the file cannot be read, or has no certificate.
    """
    found = b"\n".join(_CERTIFICATE.findall(read_bytes(Path(authority))))
    made = ssl.create_default_context(cadata=found.decode("ascii", "replace") or "-")
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def untrustworthy(authority: str | Path) -> str | None:
    """Say why a file of authorities cannot be used, None where it can."""
    try:
        trusting(authority)
    except ssl.SSLError:
        return "must have a certificate in PEM form"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None


def expired(authority: str | Path, now: datetime) -> list[str]:
    """Name the file's certificates that count no more, each with its last day."""
    found = []
    for certificate in trusting(authority).get_ca_certs():
        until = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        if until < now.timestamp():
            day = datetime.fromtimestamp(until, UTC).date()
            found.append(f"{_subject(certificate)} until {day}")
    return found


def unusable(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Name what OpenSSL passes over in silence, and then trusts nobody."""
    if (file := environment.get(FILE)) is not None and (why := untrustworthy(file)):
        yield f"{FILE}: {why}"
    if (folders := environment.get(FOLDERS)) is not None:
        for folder in folders.split(os.pathsep):
            try:
                any(Path(folder or os.devnull).iterdir())
            except OSError as error:
                yield f"{FOLDERS}: cannot be read: {error.strerror}"


def _subject(certificate: Mapping[str, Any]) -> str:
    names = certificate.get("subject")
    pairs = (
        [pair for each in names for pair in each] if isinstance(names, tuple) else []
    )
    return next((value for name, value in pairs if name == "commonName"), "one")
