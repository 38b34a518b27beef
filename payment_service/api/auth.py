"""Lets in who holds a key whose role may make the call."""

from typing import Final

from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import Request

from fsm.domain.keys import ApiKey, KeyRole
from handlers.people import Admin
from payment_service.api.keyring import Keyring

KEY_LENGTH_MAX: Final = 512
SCHEME: Final = "ApiKey"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="payment-service"'}

_INCLUDED: Final = {
    KeyRole.VIEWER: frozenset({KeyRole.VIEWER}),
    KeyRole.SUPPORT: frozenset({KeyRole.VIEWER, KeyRole.SUPPORT}),
    KeyRole.ADMIN: frozenset({KeyRole.VIEWER, KeyRole.SUPPORT, KeyRole.ADMIN}),
    KeyRole.UPSTREAM: frozenset({KeyRole.UPSTREAM}),
}


class RequiredRole(SecurityBase):
    """A dependency that refuses everybody but the holders of some roles."""

    def __init__(self, keys: Keyring, *roles: KeyRole) -> None:
        self.model = HTTPBearerModel(description="A key of this service.")
        self.scheme_name = SCHEME
        self._keys = keys
        self._roles = frozenset(roles)

    async def __call__(self, request: Request) -> None:
        """Remember who calls.

        :raises HTTPException: 401 without a valid key, 403 for another role.
        """
        presented = _presented(request.headers.getlist("authorization"))
        key = None if presented is None else self._keys.holder(presented)
        if key is None:
            raise _unknown()
        if not _INCLUDED[key.role] & self._roles:
            raise HTTPException(403, f"The role {key.role} may not do this.")
        request.state.key = key


def require_still(keys: Keyring, request: Request) -> None:
    """Refuse who has waited, and whose key was revoked or has expired meanwhile."""
    if not keys.still_takes(key_of(request)):
        raise _unknown()


def _unknown() -> HTTPException:
    detail = "Send Authorization: Bearer KEY with a valid key."
    return HTTPException(401, detail, _CHALLENGE)


def _presented(headers: list[str]) -> str | None:
    if len(headers) != 1 or len(headers[0]) > KEY_LENGTH_MAX:
        return None
    scheme, _, presented = headers[0].partition(" ")
    return presented.strip() if scheme.lower() == "bearer" else None


def key_of(request: Request) -> ApiKey:
    """Return the key of a let-in caller."""
    key = getattr(request.state, "key", None)
    if not isinstance(key, ApiKey):
        raise TypeError("a route without a guard has no caller")
    return key


def actor_of(request: Request) -> str:
    """Return the name under which a let-in caller stands in the audit trail."""
    return f"key:{key_of(request).name}"


def person_of(request: Request) -> str:
    """Return who stands behind a key, which may be one of several of theirs."""
    return key_of(request).voter


def admin_of(request: Request) -> Admin:
    """Return the admin whose key this is, as the trail names them."""
    return Admin(
        actor=actor_of(request),
        person=person_of(request),
        expires=key_of(request).expires,
    )
