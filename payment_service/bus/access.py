"""Who we are to NATS, how its certificates are judged, and where its API is found.

Files are read again for every connection, so that what is rotated on disk is used by
the next one.
"""

import binascii
import re
import ssl
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import orjson
from nats.errors import Error as NatsError

from fsm.domain.errors import BusUnavailable
from payment_service.bus.nkeys import BadSeed, Nkey
from providers.http.trust import system_trust

INBOX_PREFIX: Final = "_INBOX"
API: Final = "$JS.API"

_JWT: Final = re.compile(r"-+BEGIN NATS USER JWT-+\s+(\S+)")
_SEED: Final = re.compile(r"-+BEGIN USER NKEY SEED-+\s+(\S+)")
_JWT_PARTS: Final = 3

Login = tuple[str, str | None]
"""A user and password, or a token and None."""


class BadCredentials(NatsError):
    """A file that says who we are cannot be read, or is not what it should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a connection needs besides addresses; nothing in its repr is secret."""

    creds: Path | None = None
    nkey: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    tls_first: bool = False
    inbox_prefix: str = INBOX_PREFIX
    domain: str = ""

    @property
    def api(self) -> str:
        """Return where JetStream's own API listens."""
        return f"$JS.{self.domain}.API" if self.domain else API

    @property
    def is_secured(self) -> bool:
        """Tell whether what is set makes sense with TLS alone."""
        return self.tls_first or self.ca is not None or self.certificate is not None

    def context(self) -> ssl.SSLContext:
        """Return how a server's certificate is judged, and what it is shown.

        It may not be changed: where no file is named it is not the caller's alone.

        :raises BusUnavailable: a file cannot be read.
        """
        if self.ca is None and self.certificate is None:
            return system_trust()
        context = ssl.create_default_context()
        if self.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_verify_locations(self.ca)
            except OSError as error:
                raise _unusable("certificates", self.ca, error) from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except OSError as error:
                raise _unusable("certificate", self.certificate, error) from error
        return context

    def check(self) -> None:
        """Raise :class:`BusUnavailable` for a file that is missing or malformed."""
        self.context()
        try:
            if self.creds is not None:
                self.jwt()
                self.sign("")
            elif self.nkey is not None:
                self.public_key()
        except BadCredentials as error:
            raise BusUnavailable(str(error)) from error

    def jwt(self) -> bytes:
        """Return the user's JWT as the file has it now."""
        return _found(_JWT, self.creds, "user JWT").encode()

    def sign(self, nonce: str) -> bytes:
        """Sign what the server asks to be signed with the seed of the file."""
        return self._key().sign(nonce.encode())

    def public_key(self) -> str | None:
        """Return the name of a user that has a key and no JWT."""
        return None if self.creds or self.nkey is None else self._key().public

    def _key(self) -> Nkey:
        file = self.creds or self.nkey
        seed = _found(_SEED, file, "seed") if self.creds else _read(file).strip()
        try:
            return Nkey(seed)
        except BadSeed as error:
            message = f"the seed in the credentials file {file} cannot be used: {error}"
            raise BadCredentials(message) from error

    def expires(self) -> datetime | None:
        """Return when the JWT of the credentials ends, as far as it can be read."""
        if self.creds is None:
            return None
        parts = self.jwt().split(b".")
        if len(parts) != _JWT_PARTS:
            return None
        try:
            claims = orjson.loads(urlsafe_b64decode(parts[1] + b"=="))
            return datetime.fromtimestamp(claims["exp"], UTC)
        except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
            return None


def login_of(url: str) -> Login | None:
    """Return the user and password of an address, decoded; None where it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    password = parts.password
    return unquote(parts.username), None if password is None else unquote(password)


def _read(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the credentials file {file} cannot be read: {_why(error)}"
        raise BadCredentials(message) from error


def _found(form: re.Pattern[str], file: Path | None, what: str) -> str:
    found = form.search(_read(file))
    if found is None:
        raise BadCredentials(f"the credentials file {file} has no {what}")
    return found[1]


def _unusable(what: str, file: Path, error: OSError) -> BusUnavailable:
    return BusUnavailable(f"the {what} in {file} cannot be used: {_why(error)}")


def _why(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text"
    return error.strerror or type(error).__name__
