"""Short ids: a unique beginning stands for the whole id; several are never guessed at.

What decides about money takes whole ids alone: a beginning that is unique today is
another's tomorrow, and what somebody copied from a table an hour ago must not become
another task.
"""

from collections.abc import Sequence

from payment_service.cli.api_client import ApiAccess, calling
from payment_service.cli.arguments import plain_id
from payment_service.cli.context import read_settings, run_async
from payment_service.cli.database import open_database
from payment_service.cli.errors import AMBIGUOUS, Usage, Wrong
from payment_service.storage.beginnings import (
    MATCHES_MAX,
    Named,
    beginning_so,
    is_beginning,
)
from payment_service.storage.database import Database

PAGE = 500
PAGES_MAX = 200


class Ambiguous(Usage):
    """Several ids begin so; names them."""

    kind = AMBIGUOUS


async def whole_id(database: Database, named: Named, asked: str) -> str:
    """Return the one id that begins so; what is no beginning comes back as it is.

    :raises Ambiguous: several do.
    """
    plain = plain_id(asked)
    if not is_beginning(plain):
        return plain
    return _only(named, asked, await beginning_so(database, named, plain)) or plain


async def whole_queue_id(database: Database, asked: str) -> str | None:
    """Return the queue_id of the one order whose queue_id or order_id begins so.

    :raises Ambiguous: several do.
    """
    return _only(
        Named.ORDER, asked, await beginning_so(database, Named.ORDER, asked.strip())
    )


def _only(named: Named, asked: str, found: Sequence[tuple[str, str]]) -> str | None:
    if len(found) > 1:
        told = ", ".join(f"{each} ({about})" for each, about in found[:MATCHES_MAX])
        more = " and more" if len(found) > MATCHES_MAX else ""
        raise Ambiguous(
            f"{asked!r} is the beginning of several {named} ids: {told}{more}: "
            "give more of one"
        )
    return found[0][0] if found else None


async def whole_by_api(
    access: ApiAccess, named: Named, asked: Sequence[str]
) -> list[str]:
    """Return the ids, short ones whole by the lists of the API: of what is open.

    :raises Ambiguous: several begin so.
    """
    plain = [plain_id(each) for each in asked]
    if not any(map(is_beginning, plain)):
        return plain
    known = await _listed(access, named)
    return [
        _only(named, each, [m for m in known if m[0].startswith(each)]) or each
        if is_beginning(each)
        else each
        for each in plain
    ]


async def _listed(access: ApiAccess, named: Named) -> list[tuple[str, str]]:
    path, field, query = (
        ("cases", "kind", {"state": "open"})
        if named is Named.CASE
        else ("dead-letters", "subject", {})
    )
    found: list[tuple[str, str]] = []
    cursor: object = None
    async with calling(access) as api:
        for _ in range(PAGES_MAX):
            asked = {**query, "limit": PAGE, "cursor": cursor}
            page = (await api.ask("GET", path, query=asked)).body
            items = page.get(path.replace("-", "_"))
            found += [
                (str(each["id"]), str(each.get(field)))
                for each in (items if isinstance(items, list) else ())
            ]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
    return found


def wholes(access: ApiAccess | None, named: Named, asked: Sequence[str]) -> list[str]:
    """Return the ids, short ones whole: by the API where there is access, or by shell.

    :raises Ambiguous: several begin so.
    """
    plain = [plain_id(each) for each in asked]
    if not any(map(is_beginning, plain)):
        return plain
    if access is not None:
        return run_async(whole_by_api(access, named, plain))

    async def by_shell() -> list[str]:
        async with open_database() as database:
            return [await whole_id(database, named, each) for each in plain]

    return run_async(by_shell())


def require_whole(named: Named, argument: str, asked: str) -> str:
    """Return a whole id, for a command that decides about money.

    :raises Usage: it is a beginning; says of what, where the database can be asked.
    """
    plain = plain_id(asked)
    if not is_beginning(plain):
        return plain
    raise Usage(
        f"{argument}: {asked!r} is only the beginning of an id, and what decides about "
        f"money takes the whole one{_meant(named, plain)}"
    )


def _meant(named: Named, plain: str) -> str:
    """Return what begins so, as the end of a sentence; nothing where nobody knows."""
    if read_settings().database_url is None:
        return ""

    async def work() -> Sequence[tuple[str, str]]:
        async with open_database() as database:
            return await beginning_so(database, named, plain)

    try:
        found = run_async(work())
    except Wrong:
        return ""
    told = ", ".join(f"{each} ({about})" for each, about in found[:MATCHES_MAX])
    return f": {told} begins so" if told else f": no {named} begins so"
