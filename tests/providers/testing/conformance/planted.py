"""Adapters that guess, each in its own way; the kit has to catch every one of them."""

from contextlib import suppress
from dataclasses import replace

import orjson

from fsm.domain.webhook_events import WebhookEventType
from handlers.ports import provider as port
from providers.http.outbound import Lost, Response
from providers.rest import RestProvider, translate
from providers.rest.webhooks import read_webhook


class Right(RestProvider):
    """The adapter `rest` by another name, for others to spoil."""

    def __init__(self, table, outbound, *, callback_url):
        super().__init__(
            table, outbound, base_url=table.base_url, callback_url=callback_url
        )
        self.table = table
        self.lane = outbound.lane(9)

    def __repr__(self):
        return f"{type(self).__name__}({self.name})"

    async def post(self, payout, body, **headers):
        headers = {"Idempotency-Key": payout.reference, **headers}
        seconds = self.timeout.total_seconds()
        return await self.lane.request(
            "POST",
            f"{self.table.base_url}/payouts",
            json_body=orjson.dumps(body),
            headers=headers,
            timeout=seconds,
        )

    async def sent(self, payout, **changes):
        body = translate.create_request(payout, None) | changes
        return translate.create_answer(await self.post(payout, body), payout)


class TimeoutIsNo(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        if isinstance(answer, port.Unclear) and "in time" in answer.because:
            return port.Declined(code="timeout")
        return answer


class LostIsNotSent(Right):
    async def create(self, payout):
        body = translate.create_request(payout, None)
        answer = await self.post(payout, body)
        if isinstance(answer, Lost):
            return port.NotSent(because="no answer")
        return translate.create_answer(answer, payout)


class NotSentIsUnclear(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        return port.Unclear(because="?") if isinstance(answer, port.NotSent) else answer


class UnknownCodeIsNo(Right):
    """It believes every refusal, although the table lists the codes that count."""

    async def create(self, payout):
        return await self.sent(payout)


class UnknownWordIsNo(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        word = getattr(answer, "evidence", {}).get("status", "declined")
        known = {"succeeded", "accepted", "declined", "failed"}
        return answer if word in known else port.Declined(code=word)


class ServerErrorIsNo(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        status = getattr(answer, "evidence", {}).get("http_status", 0)
        return port.Declined(code=str(status)) if status >= 500 else answer


class ForbiddenIsNo(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        status = getattr(answer, "evidence", {}).get("http_status")
        return port.Declined(code="denied") if status in {401, 403} else answer


class ConflictIsNo(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        status = getattr(answer, "evidence", {}).get("http_status")
        return port.Declined(code="duplicate") if status == 409 else answer


class EmptyIsYes(Right):
    async def create(self, payout):
        body = translate.create_request(payout, None)
        answer = await self.post(payout, body)
        if isinstance(answer, Response) and answer.status < 300 and not answer.body:
            return port.Accepted(reference=None)
        return translate.create_answer(answer, payout)


class LooseJson(Right):
    """It takes the last of two names, and lets a NaN pass."""

    async def create(self, payout):
        answer = await self.post(payout, translate.create_request(payout, None))
        if isinstance(answer, Response):
            with suppress(orjson.JSONDecodeError, UnicodeDecodeError):
                body = orjson.dumps(orjson.loads(answer.body.replace(b"NaN", b"0")))
                answer = Response(status=answer.status, body=body)
        return translate.create_answer(answer, payout)


class FloatAmounts(Right):
    async def create(self, payout):
        return await self.sent(payout, amount=float(payout.money.amount))


class RoundedAmounts(Right):
    async def create(self, payout):
        return await self.sent(payout, amount=round(payout.money.amount / 10) * 10)


class ReferenceRewritten(Right):
    async def create(self, payout):
        return await self.sent(payout, reference=payout.reference.upper())


class TwoReferences(Right):
    """It asks under another key than it names the payout by."""

    async def create(self, payout):
        body = translate.create_request(payout, None)
        key = {"Idempotency-Key": f"{payout.reference}-1"}
        return translate.create_answer(await self.post(payout, body, **key), payout)


class KeyOfChance(Right):
    """It asks for another payout with each repeat."""

    count = 0

    async def create(self, payout):
        KeyOfChance.count += 1
        return await self.sent(payout, attempt=KeyOfChance.count)


class RepeatsByItself(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        if isinstance(answer, port.Unclear):
            answer = await super().create(payout)
        return answer


class Raises(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        if type(answer) is port.Unclear:
            raise RuntimeError(answer.because)
        return answer


class NeverReturns(Right):
    async def create(self, payout):
        answer = await super().create(payout)
        while isinstance(answer, port.Unclear):
            answer = await super().create(payout)
        return answer


class AbsentIsNo(Right):
    async def status(self, payout):
        answer = await super().status(payout)
        if isinstance(answer, port.NotFound):
            return port.Declined(code="not_found")
        return answer


class ReturnedIsNo(Right):
    async def status(self, payout):
        answer = await super().status(payout)
        if isinstance(answer, port.Returned):
            return port.Declined(code="returned")
        return answer


class ErrorOfStatusIsNo(Right):
    async def status(self, payout):
        answer = await super().status(payout)
        status = getattr(answer, "evidence", {}).get("http_status")
        return port.Declined(code="denied") if status == 401 else answer


class AnyPayoutWillDo(Right):
    async def status(self, payout):
        answer = await super().status(payout)
        word = getattr(answer, "evidence", {}).get("status")
        if isinstance(answer, port.Unclear) and word == "succeeded":
            return port.Succeeded(reference=None)
        return answer


class MoneyHidden(Right):
    async def status(self, payout):
        answer = await super().status(payout)
        if isinstance(answer, port.Succeeded):
            return replace(answer, amount=payout.money.amount, currency=None)
        return answer


class AnyAnswerCancels(Right):
    async def cancel(self, payout):
        answer = await super().cancel(payout)
        return port.Cancelled() if isinstance(answer, port.Unclear) else answer


class SignatureNotChecked(Right):
    def verify(self, headers, *_):
        return port.Verified(headers.get("webhook-id", [None])[0])


class OnlyTheFirstSecret(Right):
    def __init__(self, table, outbound, *, callback_url):
        super().__init__(table, outbound, callback_url=callback_url)
        one = table.webhook.model_copy(update={"secrets": table.webhook.secrets[:1]})
        self._verifier = one.verifier()


class AgeNotChecked(Right):
    def verify(self, headers, body, now):
        sent = int(headers.get("webhook-timestamp", ["0"])[0])
        return super().verify(headers, body, now.fromtimestamp(sent, now.tzinfo))


class HalfOfTheBodySigned(Right):
    """It lets a body pass that differs only in its last signs."""

    def __init__(self, table, outbound, *, callback_url):
        super().__init__(table, outbound, callback_url=callback_url)
        self.known = set()

    def verify(self, headers, body, now):
        verdict = super().verify(headers, body, now)
        if isinstance(verdict, port.Verified):
            self.known.add(body[:-10])
        known = body[:-10] in self.known or b'"EUR"' in body
        return port.Verified("evt-5521") if known else verdict


class FailedIsSucceeded(Right):
    def read_webhook(self, event_id, body, now):
        word = str(body.get("type"))
        swapped = {"payout.failed": "payout.succeeded"}.get(word, word)
        return read_webhook(self.name, event_id, {**body, "type": swapped}, now)


class UnknownTypeIsFailed(Right):
    def read_webhook(self, event_id, body, now):
        word = str(body.get("type"))
        known = {"succeeded", "failed", "accepted", "returned"}
        kind = word if word.removeprefix("payout.") in known else "payout.failed"
        return read_webhook(self.name, event_id, {**body, "type": kind}, now)


class UnknownTypeIsDropped(Right):
    def read_webhook(self, event_id, body, now):
        webhook = super().read_webhook(event_id, body, now)
        return None if webhook is None or webhook.type == "unknown" else webhook


class UnreadableMoneyIsDropped(Right):
    def read_webhook(self, event_id, body, now):
        webhook = super().read_webhook(event_id, body, now)
        if webhook is not None and "unreadable" in webhook.detail:
            return replace(webhook, type=WebhookEventType.UNKNOWN, detail={})
        return webhook


class EventsOfAPayoutAreOne(Right):
    def read_webhook(self, event_id, body, now):
        del event_id
        return super().read_webhook(str(body.get("reference")), body, now)


class EventsAreNeverTheSame(Right):
    def read_webhook(self, event_id, body, now):
        self.count = getattr(self, "count", 0) + 1
        return super().read_webhook(f"{event_id}-{self.count}", body, now)


class StrangeBodiesRaise(Right):
    def read_webhook(self, event_id, body, now):
        assert body["reference"].startswith("0")
        return super().read_webhook(event_id, body, now)


class ShowsItsSecrets(Right):
    def __repr__(self):
        headers = {n: v.get_secret_value() for n, v in self.table.headers.items()}
        return f"ShowsItsSecrets({headers})"


class ShowsSecretsInErrors(Right):
    async def create(self, payout):
        headers = {n: v.get_secret_value() for n, v in self.table.headers.items()}
        answer = await super().create(payout)
        if type(answer) is port.Unclear:
            raise RuntimeError(f"no answer to {headers}")
        return answer


class ShowsTheDestination(Right):
    async def create(self, payout):
        answer = await self.post(payout, translate.create_request(payout, None))
        read = translate.create_answer(answer, payout)
        if isinstance(read, port.Declined) and isinstance(answer, Response):
            told = answer.read_object() or {}
            return port.Declined(code=read.code, message=str(told.get("message")))
        return read


class FollowsRedirects(Right):
    async def create(self, payout):
        body = translate.create_request(payout, None)
        answer = await self.post(payout, body)
        if isinstance(answer, Response) and "location" in answer.headers:
            answer = await self.post(payout, body)
        return translate.create_answer(answer, payout)


class ImpatientIsNotSent(Right):
    """It takes its own haste for a connection that was never made."""

    async def create(self, payout):
        answer = await super().create(payout)
        hasty = isinstance(answer, port.Unclear) and not answer.evidence
        return port.NotSent(because="in a hurry") if hasty else answer
