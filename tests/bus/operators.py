"""An operator with accounts and users by JWT, as managed NATS has them."""

import json
import secrets
import time
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from payment_service.bus.nkeys import Nkey, _checksum

OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3
HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
ANY = {"subs": -1, "data": -1, "payload": -1}
EVERYTHING = {
    **ANY,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}
CREDS = """-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
-----BEGIN USER NKEY SEED-----
{seed}
------END USER NKEY SEED------
"""


def a_seed(kind):
    raw = bytes([18 << 3 | kind >> 5, (kind & 31) << 3]) + secrets.token_bytes(32)
    return b32encode(raw + _checksum(raw)).decode().rstrip("=")


@dataclass
class Managed:
    """Makes a server's configuration and its users' credentials."""

    limits: dict[str, Any]

    def __post_init__(self):
        self.operator = Nkey(a_seed(OPERATOR))
        self.account = Nkey(a_seed(ACCOUNT))
        self.system = Nkey(a_seed(ACCOUNT))

    @property
    def configuration(self):
        nats = {"type": "operator", "version": 2}
        operator = _jwt(self.operator, self.operator.public, nats)
        accounts = {
            self.account.public: self._account(self.account, self.limits),
            self.system.public: self._account(self.system, {}),
        }
        preload = "\n".join(f'{name}: "{jwt}"' for name, jwt in accounts.items())
        return (
            f"operator: {operator}\nresolver: MEMORY\n"
            f"system_account: {self.system.public}\n"
            f"resolver_preload: {{\n{preload}\n}}\n"
            "jetstream { store_dir: STORE, max_file_store: 2GB }\n"
        )

    def creds(self, *, seconds=None, line_end="\n"):
        """Return a credentials file's text for a new user."""
        seed = a_seed(USER)
        nats = {"type": "user", "version": 2, "pub": {}, "sub": {}, **ANY}
        jwt = _jwt(self.account, Nkey(seed).public, nats, seconds=seconds)
        return CREDS.format(jwt=jwt, seed=seed).replace("\n", line_end)

    def _account(self, key, limits):
        nats = {
            "type": "account",
            "version": 2,
            "limits": {**EVERYTHING, **limits},
            "default_permissions": {"pub": {}, "sub": {}},
        }
        return _jwt(self.operator, key.public, nats)


def _jwt(issuer, subject, nats, *, seconds=None):
    claims = {
        "jti": secrets.token_hex(16),
        "iat": int(time.time()),
        "iss": issuer.public,
        "sub": subject,
        "name": "test",
        "nats": nats,
    }
    if seconds is not None:
        claims["exp"] = int(time.time()) + seconds
    text = b".".join(_text(json.dumps(part).encode()) for part in (HEADER, claims))
    signed = issuer.sign(text).replace(b"+", b"-").replace(b"/", b"_").rstrip(b"=")
    return (text + b"." + signed).decode()


def _text(raw):
    return urlsafe_b64encode(raw).rstrip(b"=")
