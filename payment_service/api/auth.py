"""Lets in who holds a key whose role may make the call."""

import hashlib
import hmac
from typing import Final

from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import Request

from payment_service.domain.keys import ApiKey, KeyRole

KEY_LENGTH_MAX: Final = 512
SCHEME: Final = "ApiKey"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="payment-service"'}

_INCLUDED: Final = {
    KeyRole.VIEWER: frozenset({KeyRole.VIEWER}),
    KeyRole.SUPPORT: frozenset({KeyRole.VIEWER, KeyRole.SUPPORT}),
    KeyRole.ADMIN: frozenset({KeyRole.VIEWER, KeyRole.SUPPORT, KeyRole.ADMIN}),
    KeyRole.UPSTREAM: frozenset({KeyRole.UPSTREAM}),
}


class Guard(SecurityBase):
    """A dependency that refuses everybody but the holders of some roles."""

    def __init__(self, keys: tuple[ApiKey, ...], *roles: KeyRole) -> None:
        self.model = HTTPBearerModel(description="A key of PAYMENT_API_KEYS.")
        self.scheme_name = SCHEME
        self._keys = keys
        self._roles = frozenset(roles)

    async def __call__(self, request: Request) -> None:
        """Remember who calls, or raise 401 or 403."""
        key = holder(self._keys, request.headers.getlist("authorization"))
        if key is None:
            raise HTTPException(
                401, "Send Authorization: Bearer KEY with a valid key.", _CHALLENGE
            )
        if not _INCLUDED[key.role] & self._roles:
            raise HTTPException(403, f"The role {key.role} may not do this.")
        request.state.actor = f"key:{key.name}"
        request.state.person = None


def holder(keys: tuple[ApiKey, ...], headers: list[str]) -> ApiKey | None:
    """Return whose key it is; every key is compared, whichever one fits."""
    if len(headers) != 1 or len(headers[0]) > KEY_LENGTH_MAX:
        return None
    scheme, _, presented = headers[0].partition(" ")
    if scheme.lower() != "bearer":
        return None
    digest = hashlib.sha256(presented.strip().encode()).digest()
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    return found[0] if found else None


def actor_of(request: Request) -> str:
    """Return the name under which a let-in caller stands in the audit trail."""
    actor = request.state.actor
    if not isinstance(actor, str):
        raise TypeError("a route without a guard has no actor")
    return actor


def person_of(request: Request) -> str | None:
    """Return who stands behind a key that is one of several of theirs."""
    person: str | None = request.state.person
    return person
