"""The scenarios of a partner's adapter: only what is definite is heard, and once."""

import socket
from contextlib import closing
from typing import Final

from handlers.ports.partners import (
    Eligible,
    MultiMatch,
    NotEligible,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
)
from providers.testing.conformance.fake_server import (
    breaking_off,
    dripping,
    hang_up,
    reset_after_request,
    reset_in_request,
    saying,
    silence,
)
from providers.testing.conformance.partners.stage import (
    TOKEN,
    PartnerStage,
    an_enquiry,
)
from providers.testing.conformance.partners.words import PartnerSaying, Question
from providers.testing.conformance.scenario import IMPATIENT, Scenes
from providers.testing.conformance.vocabulary import WORDS_FOR_PEOPLE, Reply

SCENES: Final = Scenes[PartnerStage]()
CHECKS: Final = (Question.FIRST, Question.AGAIN)
DEFINITE: Final = (Eligible, NotEligible, MultiMatch, PartnerPending)
KINDS: Final = {
    PartnerSaying.ELIGIBLE: Eligible,
    PartnerSaying.NOT_ELIGIBLE: NotEligible,
    PartnerSaying.MULTI_MATCH: MultiMatch,
    PartnerSaying.PENDING: PartnerPending,
}
NO_ANSWER: Final = (301, 400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503)
NO_OBJECT: Final = {
    "a page": b"<!doctype html><html>Welcome</html>",
    "nothing": b"",
    "half an object": b'{"result": "elig',
    "a name twice": b'{"result": "eligible", "result": "not_eligible"}',
    "a word": b'"eligible"',
    "an error under 200": b'{"error": "no such path"}',
}


def _checks(stage: PartnerStage) -> list[Question]:
    return [question for question in stage.questions() if question in CHECKS]


async def _says(stage: PartnerStage, word: PartnerSaying) -> None:
    for question in _checks(stage):
        replies = stage.double.replies(question, word, stage.enquiry)
        for label, reply in replies.items():
            case = f"{label} to a {question}"
            await stage.expect(question, saying(reply), [KINDS[word]], case)


@SCENES.scene("said-eligible", "Each word for eligible is heard as that.")
async def eligible(stage: PartnerStage) -> None:
    stage.replies(Question.FIRST, PartnerSaying.ELIGIBLE)
    await _says(stage, PartnerSaying.ELIGIBLE)


@SCENES.scene("said-not-eligible", "Each word or listed error that says no is a no.")
async def not_eligible(stage: PartnerStage) -> None:
    stage.replies(Question.FIRST, PartnerSaying.NOT_ELIGIBLE)
    await _says(stage, PartnerSaying.NOT_ELIGIBLE)


@SCENES.scene("said-multi-match", "Several matches are neither a yes nor a no.")
async def multi_match(stage: PartnerStage) -> None:
    stage.replies(Question.FIRST, PartnerSaying.MULTI_MATCH)
    await _says(stage, PartnerSaying.MULTI_MATCH)


@SCENES.scene("said-pending", "What the partner does not know yet is pending.")
async def pending(stage: PartnerStage) -> None:
    stage.replies(Question.FIRST, PartnerSaying.PENDING)
    await _says(stage, PartnerSaying.PENDING)


@SCENES.scene("unlisted", "A word or a code that nobody has listed proves nothing.")
async def unlisted(stage: PartnerStage) -> None:
    for question in _checks(stage):
        for word in (PartnerSaying.UNLISTED, PartnerSaying.UNLISTED_ERROR):
            replies = stage.double.replies(question, word, stage.enquiry)
            for label, reply in replies.items():
                case = f"{label} to a {question}"
                await stage.expect(question, saying(reply), [PartnerUnclear], case)


@SCENES.scene("no-answer", "No HTTP status alone is a yes, a no, or done.")
async def no_answer(stage: PartnerStage) -> None:
    for question in stage.questions():
        for status in NO_ANSWER:
            case = f"HTTP {status} to a {question}"
            answer = await stage.ask(question, saying(Reply(status=status)), case)
            listed = stage.table.revocation.done if stage.table.revocation else ()
            if question is not Question.REVOKED or status not in listed:
                stage.be(answer, [PartnerUnclear], case)


@SCENES.scene("no-object", "A page, or half an answer, is none, whatever its status.")
async def no_object(stage: PartnerStage) -> None:
    for question in _checks(stage):
        for label, body in NO_OBJECT.items():
            manner = saying(Reply(status=200, body=body))
            case = f"{label} to a {question}"
            await stage.expect(question, manner, [PartnerUnclear], case)


@SCENES.scene("lost-refused", "A connection that was never made is not sent.")
async def refused(stage: PartnerStage) -> None:
    with closing(socket.socket()) as taken:
        # Bound, and nobody listens: the port refuses for as long as this is open.
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        stage.partner = stage.rebuilt(stage.table.model_copy(update={"base_url": url}))
        for question in stage.questions():
            await stage.expect(question, silence, [PartnerNotSent], f"a {question}")


@SCENES.scene(
    "lost-timeout",
    "A question that is not answered in time is unclear.",
    timeout=IMPATIENT,
)
async def timeout(stage: PartnerStage) -> None:
    for question in stage.questions():
        case = f"silence after a {question}"
        await stage.expect(question, silence, [PartnerUnclear], case)


@SCENES.scene(
    "lost-slow", "An answer that drips past the time limit is none.", timeout=IMPATIENT
)
async def slow(stage: PartnerStage) -> None:
    for word in (PartnerSaying.ELIGIBLE, PartnerSaying.NOT_ELIGIBLE):
        for label, reply in list(stage.replies(Question.FIRST, word).items())[:1]:
            manner = dripping(reply)
            await stage.expect(Question.FIRST, manner, [PartnerUnclear], label)


@SCENES.scene("lost-reset", "A connection that breaks is no answer.")
async def reset(stage: PartnerStage) -> None:
    manners = {
        "a reset before the request was read": reset_in_request,
        "a reset after the request was read": reset_after_request,
        "a connection closed without a word": hang_up,
    }
    for question in stage.questions():
        for label, manner in manners.items():
            case = f"{label} (a {question})"
            await stage.expect(question, manner, [PartnerUnclear], case)


@SCENES.scene("lost-half", "An answer that breaks off is none, whatever it began with.")
async def half(stage: PartnerStage) -> None:
    for word in (PartnerSaying.ELIGIBLE, PartnerSaying.NOT_ELIGIBLE):
        for label, reply in list(stage.replies(Question.FIRST, word).items())[:1]:
            manner = breaking_off(reply)
            await stage.expect(Question.FIRST, manner, [PartnerUnclear], label)


@SCENES.scene("wire-card", "A check says whose card it is about, as it was given.")
async def card(stage: PartnerStage) -> None:
    for question in _checks(stage):
        await stage.ask(question, saying(Reply(status=500)), f"a {question}")
        told = stage.heard(f"a {question}")
        token = told.get("card_token", "")
        stage.must(TOKEN in token, f"a {question}: it does not carry the card's token")


@SCENES.scene("wire-key", "A repeat is known as one; another check has another key.")
async def key(stage: PartnerStage) -> None:
    sent = []
    for enquiry in (stage.enquiry, stage.enquiry, an_enquiry()):
        manner = saying(Reply(status=500))
        await stage.ask(Question.FIRST, manner, "a check", enquiry)
        sent += [
            (each.target, each.headers, each.body) for each in stage.counterpart.heard
        ]
        told = stage.heard("a check")
        names = ("key", "task_id", "order_id")
        ours = (getattr(enquiry, name) in told.get(name, "") for name in names)
        stage.must(any(ours), "a check: it carries nothing that a repeat is known by")
    same = len(sent) > 1 and sent[0][::2] == sent[1][::2]
    stage.must(same, "a repeated check is another question than the first")
    stage.must(sent[-2:] != sent[1:2] * 2, "two checks are the same question")


@SCENES.scene("told-revoked", "A revoke notice is done by what says so, and only that.")
async def told_revoked(stage: PartnerStage) -> None:
    replies = stage.replies(Question.REVOKED, PartnerSaying.DONE)
    for label, reply in replies.items():
        answer = await stage.ask(Question.REVOKED, saying(reply), label)
        stage.must(
            not isinstance(answer, (PartnerNotSent, PartnerUnclear)),
            f"{label}: {answer!r}, must be done",
        )


@SCENES.scene("retry-after", "A partner that asks to be left alone is.")
async def retry_after(stage: PartnerStage) -> None:
    for status in (429, 503):
        reply = Reply(status=status, headers={"Retry-After": "7"})
        answer = await stage.ask(Question.FIRST, saying(reply), f"HTTP {status}")
        seconds = getattr(answer, "after", None)
        heeded = seconds is not None and seconds.total_seconds() == 7  # noqa: PLR2004
        stage.must(heeded, f"HTTP {status}: it does not heed Retry-After")


@SCENES.scene("secrets-hidden", "Neither the adapter nor its table shows a secret.")
async def hidden(stage: PartnerStage) -> None:
    for name, part in {"the adapter": stage.partner, "its table": stage.table}.items():
        stage.hide(f"{part!r} {part!s}", name)


@SCENES.scene("secrets-card", "No answer shows the card's token, even if it is told.")
async def token_hidden(stage: PartnerStage) -> None:
    for word in (PartnerSaying.NOT_ELIGIBLE, PartnerSaying.UNLISTED):
        replies = stage.double.replies(Question.FIRST, word, stage.enquiry)
        for label, reply in replies.items():
            body = reply.body.replace(WORDS_FOR_PEOPLE.encode(), TOKEN.encode())
            told = Reply(status=reply.status, body=body, headers=reply.headers)
            await stage.ask(Question.FIRST, saying(told), label)
