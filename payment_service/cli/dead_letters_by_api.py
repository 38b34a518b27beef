"""Replays dead letters through the API."""

from collections.abc import Iterator, Sequence
from typing import Final

from payment_service.cli.api_client import ApiAccess, ApiClient, ApiRefused, calling
from payment_service.cli.errors import Wrong
from payment_service.wire.views import View

PAGE: Final = 500
PAGES_MAX: Final = 1000
PATH: Final = "dead-letters"
REPLAYED: Final = "replayed"
WOULD_BE: Final = "would be replayed"
LEFT: Final = "left"


async def replay(
    access: ApiAccess,
    letter_ids: Sequence[str] | None,
    *,
    subject: str | None,
    reason: str | None,
    dry_run: bool,
) -> list[View]:
    """Replay these letters, or all that are open; say of each what became of it.

    What one letter is refused for stops no other; where the API itself is not there
    any more, those that are left are told no more of.

    :raises Usage: the key is not valid.
    :raises Wrong: the list cannot be had.
    """
    async with calling(access) as api:
        if letter_ids is not None and not dry_run:
            return await _each(api, letter_ids, reason)
        found = await _open(api, subject)
        if dry_run:
            return _tried(found if letter_ids is None else letter_ids, {*found})
        return await _each(api, found, reason)


def _tried(letter_ids: Sequence[str], found: set[str]) -> list[View]:
    return [
        {"id": each, "status": WOULD_BE}
        if each in found
        else {"id": each, "status": LEFT, "error": "no such dead letter is open"}
        for each in letter_ids
    ]


async def _open(api: ApiClient, subject: str | None) -> list[str]:
    """Return the ids of the letters that nobody has dealt with, oldest first."""
    found: list[str] = []
    cursor: object = None
    for _ in range(PAGES_MAX):
        query = {"limit": PAGE, "cursor": cursor}
        page = (await api.ask("GET", PATH, query=query)).body
        found += _ids(page.get("dead_letters"), subject)
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    return found[::-1]


def _ids(listed: object, subject: str | None) -> Iterator[str]:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and subject in {None, each.get("subject")}:
            yield str(each.get("id"))


async def _each(
    api: ApiClient, letter_ids: Sequence[str], reason: str | None
) -> list[View]:
    body = None if reason is None else {"reason": reason}
    results: list[View] = []
    for letter_id in letter_ids:
        try:
            await api.ask("POST", PATH, letter_id, "replay", body=body)
        except ApiRefused as refused:
            results.append({"id": letter_id, "status": LEFT, "error": str(refused)})
        except Wrong as failed:
            results.append({"id": letter_id, "status": LEFT, "error": str(failed)})
            return results
        else:
            results.append({"id": letter_id, "status": REPLAYED})
    return results
