"""Makes, lists, agrees to and revokes keys: through the API, by an admin's own key."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from fsm.domain.errors import NotNow
from fsm.domain.keys import (
    DATE_FORM,
    NAME_FORM,
    ApiKey,
    KeyRole,
    is_key_hash,
    is_key_name,
    parse_date,
    require_merchants,
)
from handlers.people import Admin, Environment, hash_of, new_secret
from payment_service.cli.api_client import (
    BOTH,
    access_of,
    ask,
    calling,
    required_access,
)
from payment_service.cli.arguments import actor
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.errors import Usage, Wrong
from payment_service.cli.printing import (
    print_json,
    print_pairs,
    print_table,
    print_text,
)
from payment_service.cli.shell import shell_operations
from payment_service.cli.tables import Fall
from payment_service.wire.people_views import made_key_view

FIRST: Final = "the first admin key, made where the database can be reached"
ONLY_FIRST: Final = (
    "without the API only the first admin key is made here (--role admin): " + BOTH
)
COLUMNS: Final = (
    *("name", "role", "person", "state", "source", "merchants", "expires"),
    *("made_by", "agreed_by", "last_used_at", "fingerprint"),
)
FALL: Final = Fall(
    first=(
        *("agreed_by", "made_by", "merchants", "source", "fingerprint"),
        *("last_used_at", "expires", "person"),
    )
)


def new(
    name: str,
    *,
    role: str,
    merchants: Sequence[str],
    person: str | None,
    expires: str | None,
    sha256: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Make a key, and print it this once."""
    wish = {
        "name": name,
        "role": role,
        "merchants": [m for each in merchants for m in each.split("+")] or None,
        "person": person,
        "expires": expires,
        "sha256": sha256,
        "reason": reason,
    }
    given = {field: value for field, value in wish.items() if value is not None}
    key = _checked(given)
    access = access_of(read_settings())
    if access is None:
        if key.role is not KeyRole.ADMIN:
            raise Usage(ONLY_FIRST)
        return _say(run_async(_first(key, given)), as_json=as_json)
    return _say(ask(access, "POST", "keys", body=given).body, as_json=as_json)


def list_(*, limit: int, cursor: str | None, wide: bool, as_json: bool) -> int:
    """Print the keys by name, and never a key itself."""
    access = required_access()

    async def work() -> Mapping[str, object]:
        query = {"limit": limit, "cursor": cursor}
        async with calling(access) as api:
            return (await api.ask("GET", "keys", query=query)).body

    page = run_async(work())
    if as_json:
        print_json(page)
        return 0
    found = page.get("keys")
    keys = found if isinstance(found, list) else []
    rows = [[_cell(key.get(name)) for name in COLUMNS] for key in keys]
    print_table(COLUMNS, rows, empty="There is no key.", fall=FALL, wide=wide)
    if page.get("next_cursor"):
        print_text(f"There are more: --cursor {page['next_cursor']}")
    return 0


def agree(name: str, *, reason: str | None, as_json: bool) -> int:
    """Agree to a key that another admin has made."""
    _require_name(name)
    body = {} if reason is None else {"reason": reason}
    answer = ask(required_access(), "POST", "keys", name, "agree", body=body)
    return _say(answer.body, as_json=as_json)


def revoke(name: str, *, reason: str, as_json: bool) -> int:
    """End a key for good."""
    _require_name(name)
    body = {"reason": reason}
    answer = ask(required_access(), "POST", "keys", name, "revoke", body=body)
    return _say(answer.body, as_json=as_json)


async def _first(key: ApiKey, given: Mapping[str, object]) -> Mapping[str, object]:
    """Make the key of the first admin in the database itself: nobody can be asked."""
    settings = read_settings("database_url")
    secret = None if "sha256" in given else new_secret()
    wanted = key if secret is None else _with_secret(key, secret)
    who = actor()
    async with shell_operations() as operations:
        try:
            record = await operations.make_first_key(
                wanted,
                by=Admin(actor=who, person=who),
                reason=str(given.get("reason") or FIRST),
                environment=Environment(keys=settings.api_keys),
            )
        except NotNow as refusal:
            raise Wrong(f"{refusal}: {BOTH}") from None
    return made_key_view(record, secret=secret)


def _with_secret(key: ApiKey, secret: str) -> ApiKey:
    return ApiKey(
        key.name, key.role, hash_of(secret), person=key.person, expires=key.expires
    )


def _checked(given: Mapping[str, object]) -> ApiKey:
    """Read the options as the API would, so that what is wrong is told here.

    :raises Usage: names the option.
    """
    name, role = str(given["name"]), str(given["role"])
    person, digest = given.get("person"), given.get("sha256")
    merchants = given.get("merchants")
    _require_name(name)
    if role not in set(KeyRole):
        raise Usage(f"--role: one of {', '.join(KeyRole)}")
    if person is not None and not is_key_name(str(person)):
        raise Usage(f"--person: must be {NAME_FORM}")
    if digest is not None and not is_key_hash(str(digest)):
        raise Usage("--sha256: must be 64 hexadecimal digits")
    bound = merchants if isinstance(merchants, list) else None
    try:
        require_merchants(KeyRole(role), bound)
    except ValueError as wrong:
        raise Usage(f"--merchants: the key {wrong}") from None
    return ApiKey(
        name,
        KeyRole(role),
        bytes.fromhex(str(digest or "")),
        person=None if person is None else str(person),
        merchants=None if bound is None else frozenset(bound),
        expires=_day(given.get("expires")),
    )


def _day(text: object) -> date | None:
    if text is None:
        return None
    try:
        return parse_date(str(text))
    except ValueError:
        raise Usage(f"--expires: must be {DATE_FORM}") from None


def _require_name(name: str) -> None:
    if not is_key_name(name):
        raise Usage(f"NAME: must be {NAME_FORM}")


def _say(told: Mapping[str, object], *, as_json: bool) -> int:
    if as_json:
        print_json(told)
        return 0
    print_pairs({name: value for name, value in told.items() if name != "key"})
    if "key" in told:
        # The one place where it is shown: nothing hides it here.
        print_text(f"key{' ' * 10}{told['key']}")
        print_text("Nobody can show it again. Who has seen it can be its person.")
    if told.get("status") == "waits_for_second_person":
        print_text(f"Until then it is not taken: key agree {told.get('name')}")
    return 0


def _cell(value: object) -> object:
    return "+".join(map(str, value)) if isinstance(value, list) else value
