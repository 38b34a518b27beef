"""Applies what providers say by webhook to the tasks it is about."""

from collections.abc import Collection, Sequence
from typing import Final

from fsm.domain.erasure import is_erased, without_words
from fsm.domain.news import (
    Arrival,
    News,
    NewsState,
)
from fsm.domain.orders import Order
from fsm.domain.seals import news_is_signed, signed_news
from fsm.engine.records import replace
from fsm.engine.steps import Known, Step, Wait
from handlers.engine import Contended, Engine, settle
from handlers.ports.store import StoredNews
from handlers.sound import UnknownKey, case_of

MARKS_MAX: Final = 10


async def keep(*events: News, engine: Engine) -> Sequence[Arrival]:
    """Store what somebody has verified, signed so that it is known again as that."""
    signed = (signed_news(news, engine.keys) for news in events)
    return await engine.store.keep_news(*signed)


async def apply_news(order: Order, stored: StoredNews, *, engine: Engine) -> Order:
    """Commit what one stored webhook means; return the order as it is then.

    What is too early stays in the inbox, and the task's row says so.
    """
    stored = await _forgotten(order, stored, engine)
    if not news_is_signed(stored.news, engine.keys):
        await _refuse(order, stored, engine)
        return order
    event = engine.flow_of(order).heard(stored.news, order)
    if event is None:
        await engine.store.close_news(stored.inbox_id, NewsState.IGNORED)
        return order
    if stored.repeats:
        known = _after(stored.news, NewsState.KNOWN)
        await engine.store.close_news(stored.inbox_id, known)
        return order
    task_id = stored.news.reference
    for _ in range(MARKS_MAX):
        settled = await settle(
            order,
            task_id,
            event,
            engine=engine,
            news={stored.inbox_id: _after(stored.news)},
        )
        match settled.decision:
            case Step():
                return settled.order
            case Known():
                await engine.store.close_news(
                    stored.inbox_id, _after(stored.news, NewsState.KNOWN)
                )
                return settled.order
            case Wait():
                version = settled.order.task(task_id).version
                if await engine.store.mark_waiting(task_id, version):
                    return settled.order
                order = await engine.store.load(order.queue_id) or order
    raise Contended(f"task {task_id} moved {MARKS_MAX} times")


async def _forgotten(order: Order, stored: StoredNews, engine: Engine) -> StoredNews:
    """Forget a provider's own words about an order that was erased, and go on.

    First of all: who dies after the step would leave them where nobody looks again.
    """
    if not is_erased(order):
        return stored
    await engine.store.forget_words(stored.inbox_id)
    return replace(stored, news=without_words(stored.news))


async def _refuse(order: Order, stored: StoredNews, engine: Engine) -> None:
    """Open a case about a row of the inbox that no verified webhook is in.

    :raises UnknownKey: that cannot be told here.
    """
    news = stored.news
    if news.signature.key_id and news.signature.key_id not in engine.keys:
        raise UnknownKey(news.signature.key_id)
    what = f"nobody has sent the webhook {news.event_id!r} of {news.provider} so"
    case = case_of(order.task(news.reference), what, f"{news.provider}:{news.event_id}")
    await engine.store.open_case(order, case, engine.clock.now())
    await engine.store.close_news(stored.inbox_id, NewsState.IGNORED)


async def apply_waiting(
    order: Order, task_ids: Collection[str], *, engine: Engine
) -> Order:
    """Apply the webhooks that waited for these tasks to be ready."""
    for task_id in task_ids:
        waiting = await engine.store.waiting_news(task_id)
        order = await apply_all(order, waiting, engine=engine)
    return order


async def apply_all(
    order: Order, waiting: Sequence[StoredNews], *, engine: Engine
) -> Order:
    """Apply webhooks of one task, in the provider's own order where it has one."""
    for stored in _in_order(waiting):
        order = await apply_news(order, stored, engine=engine)
    return order


def _after(news: News, heard: NewsState = NewsState.APPLIED) -> NewsState:
    """Return what becomes of news that was heard; a disputed one never counts as so."""
    return heard if news.seen_as is None else NewsState.IGNORED


def _in_order(waiting: Sequence[StoredNews]) -> Sequence[StoredNews]:
    """Return what waits in the provider's own order where it has one for all."""
    numbered = [(each.news.sequence, each) for each in waiting]
    if any(number is None for number, _ in numbered):
        return waiting
    return sorted(waiting, key=lambda each: each.news.sequence or 0)
