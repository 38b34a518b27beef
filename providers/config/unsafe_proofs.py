"""What is wrong with how whoever is called is to know us: ``auth`` and ``tls``."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from providers.config.called import CalledTable
from providers.config.forms import HmacAuth, RequestTable, TlsTable
from providers.config.oauth2 import unsafe_oauth2
from providers.config.unsafe_calls import unsafe_headers, unsafe_template
from providers.config.values import HEADER_VALUE
from providers.config.vocabulary import SIGNATURE, SIGNED, SIGNING_HEADERS
from providers.files import unreadable
from providers.http.trust import untrustworthy

TLS: Final = "https://"
KINDS: Final = ("bearer", "basic", "hmac", "oauth2")

Problems = Iterator[tuple[str, str]]


def unsafe_proofs(table: CalledTable) -> Problems:
    """Name what is wrong with how those whom we call are to know us."""
    if table.tls is not None:
        yield from _unsafe_tls(table)
    if table.auth is None:
        return
    kinds = [k for k in KINDS if getattr(table.auth, k)]
    if len(kinds) != 1:
        yield "auth", f"must have one of {', '.join(KINDS[:-1])} and {KINDS[-1]}"
    bearer = table.auth.bearer
    if bearer and not HEADER_VALUE.fullmatch(bearer.token.get_secret_value()):
        yield "auth.bearer.token", "must be printable ASCII"
    if basic := table.auth.basic:
        if ":" in basic.user:
            yield "auth.basic.user", "must have no colon"
        if not basic.password.get_secret_value():
            yield "auth.basic.password", "must not be empty"
    if table.auth.hmac is not None:
        yield from _unsafe_hmac(table.auth.hmac)
    if table.auth.oauth2 is not None:
        yield from unsafe_oauth2(table.auth.oauth2, table.base_url)
    if lower(table.headers) & auth_headers(table):
        yield "headers", "must not have a header that auth makes"


def _unsafe_hmac(auth: HmacAuth) -> Problems:
    try:
        key_of(auth)
    except ValueError as error:
        yield "auth.hmac.key", str(error)
    yield from unsafe_template(auth.signed, "auth.hmac.signed", SIGNED)
    yield from unsafe_headers(auth.headers, "auth.hmac.headers", SIGNING_HEADERS)
    signed, sent = _holes(auth.signed), _holes(*auth.headers.values())
    if SIGNATURE not in sent:
        yield "auth.hmac.headers", "must send {signature}"
    for name in sorted((signed & {"timestamp", "nonce"}) - sent):
        yield "auth.hmac.headers", f"must send the {{{name}}} that is signed"
    if not signed & {"body", "body_sha256"}:
        yield "auth.hmac.signed", "must hold {body} or {body_sha256}"


_HOLE: Final = re.compile(r"\{([a-z0-9_]+)\}", re.ASCII)


def _holes(*texts: str) -> set[str]:
    return {name for text in texts for name in _HOLE.findall(text)}


def key_of(auth: HmacAuth) -> bytes:
    """Return the key's bytes.

    :raises ValueError: it is empty, or not encoded as it says.
    """
    text = auth.key.get_secret_value()
    try:
        if auth.key_encoding == "hex":
            key = bytes.fromhex(text)
        elif auth.key_encoding == "base64":
            key = base64.b64decode(text, validate=True)
        else:
            key = text.encode()
    except (ValueError, binascii.Error):
        raise ValueError(f"must be {auth.key_encoding}") from None
    if not key:
        raise ValueError("must not be empty")
    return key


def auth_headers(table: CalledTable) -> set[str]:
    """Return the lower-case names of the headers by which we prove who asks."""
    if table.auth is None:
        return set()
    if table.auth.hmac is not None:
        return lower(table.auth.hmac.headers)
    return {"authorization"}


def twice(table: CalledTable, call: RequestTable, key: str) -> Problems:
    taken = lower(table.headers) | auth_headers(table)
    for name in sorted(lower(call.headers) & taken):
        yield f"{key}.{name}", "is set by headers or auth already"


def lower(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _unsafe_tls(table: CalledTable) -> Problems:
    tls = table.tls
    if tls is None:
        return
    if not (table.base_url or "").startswith(TLS):
        yield "tls", "needs a base_url with https://"
    if (tls.certificate is None) != (tls.key is None):
        absent = "certificate" if tls.certificate is None else "key"
        yield f"tls.{absent}", "is missing: certificate and key go together"
    elif tls.certificate is None and tls.authority is None:
        yield "tls", "must have an authority, or a certificate and its key"
    unread = {
        f"tls.{key}": f"cannot be read: {reason}"
        for key in ("certificate", "key")
        if (path := getattr(tls, key)) and (reason := unreadable(Path(path)))
    }
    if tls.authority is not None and (reason := untrustworthy(tls.authority)):
        unread["tls.authority"] = reason
    yield from unread.items()
    if not unread and (tls.certificate is None) == (tls.key is None):
        yield from _unpaired(tls)


def _unpaired(tls: TlsTable) -> Problems:
    try:
        tls.context()
    except OSError:
        yield "tls", "must be PEM files, and a key without password for the certificate"
