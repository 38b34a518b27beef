"""The partners of card links over HTTP (contract, section 5), played by scripts.

A script says of a partner what it says of a provider: `succeed` is eligible, `decline`
not, `accept…` several matches until it is one or the other; a mishap spoils answers.
What was several matches and is decided by now stands in its file, line by line.
"""

import csv
import hashlib
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

from providers.testing.simulator.partner_book import (
    BookedLink,
    LinkEntry,
    LinkEntryKind,
    LinkState,
    PartnerBook,
    ReceivedLink,
)
from providers.testing.simulator.script import (
    Behaviour,
    PayoutState,
    Script,
    succeed,
)
from providers.testing.simulator.scripted import Playing, ScriptedParty
from providers.testing.simulator.wire import (
    BadCallError,
    Json,
    body_of,
    reply,
    rfc3339,
    text_in,
)

FILE: Final = "links.csv"
HEAD: Final = ("reference", "customer", "card", "outcome", "reason", "decided at")
FIRST: Final[Mapping[PayoutState, LinkState]] = {
    PayoutState.SUCCEEDED: LinkState.ELIGIBLE,
    PayoutState.ACCEPTED: LinkState.MULTI_MATCH,
}
"""What a card is at first; in any other state of a script it is not eligible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPartner:
    """One of the partners that a simulator plays, found under `/{name}`.

    Where it `answers_again`, a fallback check is told what is decided by now; else it
    is told in the file `/{name}/files/links.csv` alone, which there is once a line is.
    """

    name: str
    behaviour: Behaviour = succeed
    answers_again: bool = True


class SimulatedPartners(ScriptedParty):
    """Plays the partners, each by a script for each card, and keeps their book."""

    def __init__(
        self,
        partners: Iterable[SimulatedPartner],
        book: PartnerBook,
        playing: Playing,
    ) -> None:
        super().__init__(playing)
        self.book = book
        self._partners = {partner.name: partner for partner in partners}

    def __contains__(self, name: str) -> bool:
        """Tell whether a partner of this name is played."""
        return name in self._partners

    def behaviour(self, name: str) -> Behaviour:
        """Return what a partner does where nothing else says so."""
        return self._partners[name].behaviour

    def standing(self) -> list[Json]:
        """Return where every card stands now, as the admin's calls show it."""
        return [self._ripe(link).view() for link in self.book.links.values()]

    async def handle(
        self, request: web.BaseRequest, name: str, path: list[str]
    ) -> web.StreamResponse:
        """Answer a call to `/{name}/…`; `path` is what comes then."""
        partner = self._partners[name]
        match request.method, path:
            case "POST", ["eligibility"]:
                return await self._check(request, partner)
            case "POST", ["revocations"]:
                return await self._revoked(request, partner)
            case "GET", ["files", found] if found == FILE:
                return await self._file(request, partner)
            case _:
                raise BadCallError("there is nothing here", status=404, code="no_route")

    # Checks.

    async def _check(
        self, request: web.BaseRequest, partner: SimulatedPartner
    ) -> web.StreamResponse:
        key, body = _key_of(request), await body_of(request)
        asked = link_from(body, partner.name, key.rpartition(":")[0])
        again = body.get("check") == "fallback"

        async def act() -> web.StreamResponse:
            return await self._check_as_scripted(request, asked, key, again=again)

        operation = "fallback" if again else "eligibility"
        return await self._under_faults(request, operation, asked, key, act)

    async def _check_as_scripted(
        self, request: web.BaseRequest, asked: ReceivedLink, key: str, *, again: bool
    ) -> web.StreamResponse:
        known = self._known(asked.task_id)
        if known is not None and known.asked != asked:
            raise BadCallError("the key came with other content", code="key_reused")
        token = asked.token
        script = (
            known.script
            if known
            else self._script_of(asked.partner, asked.task_id, key, token)
        )
        tries = self.book.calls("eligibility", asked.task_id)
        mishap = None
        if not again and tries <= script.mishap_times:
            mishap = script.mishap
        if known is None and (mishap is None or script.mishap_takes):
            known = self._take(asked, script)
        await self._thinks(script)
        answer = reply({}) if known is None else self._answer(known, key, again=again)
        return await self._spoiled(request, mishap, script, answer)

    def _take(self, asked: ReceivedLink, script: Script) -> BookedLink:
        state = FIRST.get(script.state, LinkState.NOT_ELIGIBLE)
        self.book.record(
            LinkEntry(
                at=self._now(),
                kind=LinkEntryKind.TAKEN,
                task_id=asked.task_id,
                what=state,
                asked=asked,
                script=script,
            )
        )
        return self.book.links[asked.task_id]

    def _answer(self, link: BookedLink, key: str, *, again: bool) -> web.Response:
        """Say what is so now; under a key that was answered before, the same again."""
        told = link.said.get(key)
        if told is None:
            partner = self._partners[link.asked.partner]
            undecided = again and not partner.answers_again
            told = LinkState.MULTI_MATCH if undecided else link.state
            self._note(LinkEntryKind.SAID, link.asked.task_id, told, key)
        body: Json = {"result": link.script.says or told, "key": key}
        if told == LinkState.NOT_ELIGIBLE:
            body |= {
                "code": link.script.code or "declined",
                "message": link.script.message or "declined by a script",
            }
        return reply(body)

    # Revokes, and the file.

    async def _revoked(
        self, request: web.BaseRequest, partner: SimulatedPartner
    ) -> web.StreamResponse:
        key, body = _key_of(request), await body_of(request)
        asked = link_from(body, partner.name, key.rpartition(":")[0])

        async def act() -> web.StreamResponse:
            self._note(LinkEntryKind.REVOKED, asked.task_id, "", key)
            return reply({"status": "revoked", "key": key})

        return await self._under_faults(request, "revocation", asked, key, act)

    async def _file(
        self, request: web.BaseRequest, partner: SimulatedPartner
    ) -> web.StreamResponse:
        async def act() -> web.StreamResponse:
            lines = [*self._lines(partner.name)]
            if not lines:
                raise BadCallError("not yet", status=404, code="not_there")
            body = written(lines)
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={"ETag": tag})
            return web.Response(
                body=body, content_type="text/csv", headers={"ETag": tag}
            )

        asked = ReceivedLink(partner=partner.name, task_id="")
        return await self._under_faults(request, "file", asked, "", act)

    def _lines(self, partner: str) -> Iterable[tuple[str, ...]]:
        for link in self.book.links.values():
            asked, state = link.asked, self._ripe(link).state
            late = FIRST.get(link.script.state) is LinkState.MULTI_MATCH
            if asked.partner == partner and late and state is not LinkState.MULTI_MATCH:
                code = "" if state is LinkState.ELIGIBLE else link.script.code
                yield (
                    asked.task_id,
                    asked.customer_id,
                    asked.token,
                    state.value,
                    code,
                    rfc3339(link.decided_at),
                )

    # What all have in common.

    async def _under_faults(
        self,
        request: web.BaseRequest,
        operation: str,
        asked: ReceivedLink,
        key: str,
        act: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        self._note(LinkEntryKind.REQUEST, asked.task_id, operation, key)
        call = {name: str(value) for name, value in asdict(asked).items()}
        name = f"{asked.partner}.{operation}"
        return await self._faults.around(request, name, call, act=act)

    def _note(self, kind: LinkEntryKind, task_id: str, what: str, key: str) -> None:
        self.book.record(
            LinkEntry(at=self._now(), kind=kind, task_id=task_id, what=what, key=key)
        )

    def _known(self, task_id: str) -> BookedLink | None:
        known = self.book.links.get(task_id)
        return None if known is None else self._ripe(known)

    def _ripe(self, link: BookedLink) -> BookedLink:
        """Let several matches become what the script says that they are by now."""
        for each in link.script.steps:
            at = link.taken_at + self._seconds(link.script, each.after)
            open_yet = link.state is LinkState.MULTI_MATCH
            if open_yet and each.becomes and at <= self._now():
                became = FIRST.get(each.becomes, LinkState.NOT_ELIGIBLE)
                self.book.record(
                    LinkEntry(
                        at=at,
                        kind=LinkEntryKind.BECAME,
                        task_id=link.asked.task_id,
                        what=became,
                    )
                )
        return link


def written(lines: Iterable[tuple[str, ...]]) -> bytes:
    """Return a file of these lines, with its head."""
    text = io.StringIO()
    csv.writer(text).writerows([HEAD, *lines])
    return text.getvalue().encode()


def link_from(body: Json, partner: str, task_id: str) -> ReceivedLink:
    """Read whose card is meant."""
    card = body.get("card")
    if not isinstance(card, dict):
        raise BadCallError("card is not an object")
    if text_in(body, "task_id", task_id) != task_id:
        raise BadCallError("the key is another task's", code="key_of_another")
    return ReceivedLink(
        partner=partner,
        task_id=task_id,
        order_id=text_in(body, "order_id", ""),
        customer_id=text_in(body, "customer_id"),
        token=text_in(card, "token"),
    )


def _key_of(request: web.BaseRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not key.rpartition(":")[0]:
        raise BadCallError("the Idempotency-Key is not TASK:N or TASK:revoked")
    return key
