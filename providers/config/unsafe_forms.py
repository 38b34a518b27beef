"""Wire forms that cannot be spoken, or would cost money, and why not."""

from collections.abc import Iterator
from typing import Final

from providers.config.creates import CreateTable
from providers.config.forms import (
    AnswersTable,
    RequestTable,
    StatementTable,
    Telling,
    WebhookBodyTable,
)
from providers.config.tables import ProviderTable
from providers.config.unsafe_answers import (
    unlisted,
    unsafe_answers,
    unsafe_cancel_answers,
    unsafe_create_answers,
    unsafe_refused_tokens,
    unsafe_status_answers,
)
from providers.config.unsafe_calls import (
    holes_of,
    is_sent_whole,
    unsafe_call,
)
from providers.config.unsafe_proofs import twice, unsafe_proofs
from providers.config.unsafe_several import carried_by, said_by, unsafe_several
from providers.config.vocabulary import (
    AMOUNTS,
    CURRENCIES,
    CURSOR,
    DESTINATION,
    OF_DESTINATION,
    PAGE,
    PAYOUT,
    PROVIDER_REFERENCE,
    REFERENCE,
    STATEMENT,
)

FORM_KEYS: Final = ("cancel", "statement", "answers", "webhook_body")
NOTHING: Final = frozenset[str]()
PROVING: Final = frozenset({"rest", "stripe"})
"""The adapters that read ``auth`` and ``tls``."""

Problems = Iterator[tuple[str, str]]


def unsafe_form(table: ProviderTable) -> Problems:
    """Name what is wrong with a declared wire form; nothing where none is declared."""
    given = [name for name in FORM_KEYS if getattr(table, name) is not None]
    given += ["status"] if table.asking is not None else []
    if table.create is None:
        for name in given:
            yield name, "has no meaning without create"
    else:
        given = ["create", *given]
        yield from _unsafe_calls(table, table.create)
        yield from _unsafe_webhooks(table)
    yield from _unsafe_auth(table)
    yield from unsafe_proofs(table)
    if table.adapter not in PROVING:
        given += [name for name in ("auth", "tls") if getattr(table, name) is not None]
    if table.adapter != "rest":
        for name in given:
            yield name, f"unknown key of the adapter {table.adapter}"


def _unsafe_calls(table: ProviderTable, create: CreateTable) -> Problems:
    calls: dict[str, RequestTable | None] = {
        "create": create,
        "status": table.asking,
        "cancel": table.cancel,
    }
    for key, call in calls.items():
        if call is not None:
            kept = carried_by(create) if key == "create" else NOTHING
            yield from unsafe_call(call, key, PAYOUT | kept)
            yield from twice(table, call, f"{key}.headers")
    if table.statement is not None:
        yield from unsafe_call(table.statement, "statement", STATEMENT)
        yield from twice(table, table.statement, "statement.headers")
    yield from unsafe_several(table, create)
    yield from _unsaid(create)
    if create.method == "PUT" and not table.idempotent_create:
        reason = "what stands on the way may repeat a PUT"
        yield "create.method", f"cannot be PUT without idempotent_create: {reason}"
    if table.status and table.asking is None:
        yield "status", "must be a table, or false, where create is a table"
    yield from _unsafe_names(table, create)
    yield from _unsafe_meanings(table, create)


def _unsafe_names(table: ProviderTable, create: CreateTable) -> Problems:
    """Name the calls that ask by what is never known, or by nothing."""
    if PROVIDER_REFERENCE in holes_of(create, needed=True):
        reason = "the provider's own id is known only after the create"
        yield "create", f"must not need {{{PROVIDER_REFERENCE}}}: {reason}"
    calls = {"status": table.asking, "cancel": table.cancel}
    for key, call in calls.items():
        if call is None:
            continue
        if not holes_of(call) & {REFERENCE, PROVIDER_REFERENCE}:
            yield key, "must say which: {reference}, or {provider_reference}"
        if PROVIDER_REFERENCE in holes_of(call, needed=True) and not _told(table):
            reason = "neither the create's answers nor webhooks say where it is"
            yield key, f"must not need {{{PROVIDER_REFERENCE}}}: {reason}"
    if table.statement is not None:
        yield from _unsafe_pages(table.statement)


def _unsafe_pages(statement: StatementTable) -> Problems:
    """Name what would ask for the same page for ever, or for none."""
    if statement.pause >= statement.deadline:
        yield "statement.pause", "must be shorter than deadline"
    if statement.kinds and statement.kind_at is None:
        yield "statement.kind_at", "is missing where there are kinds"
    if statement.kind_at is not None and not statement.kinds:
        yield "statement.kinds", "is missing: which lines are payouts?"
    key, sent = "statement.next_cursor_at", holes_of(statement)
    if CURSOR in holes_of(statement, needed=True):
        reason = "there is none for the first page: {cursor?}"
        yield "statement", f"must not need {{{CURSOR}}}: {reason}"
    if CURSOR in sent and statement.next_cursor_at is None:
        yield key, f"is missing where {{{CURSOR}}} is sent"
    if statement.next_cursor_at is not None and not sent & {CURSOR, PAGE}:
        yield key, f"has no meaning where neither {{{CURSOR}}} nor {{{PAGE}}} is sent"


def _told(table: ProviderTable) -> bool:
    """True where a table says where the provider's own id is."""
    if table.create is not None and table.create.names_payout:
        return True
    said: list[object] = [
        table.webhook_body and table.webhook_body.provider_reference_at
    ]
    if table.create is not None:
        answers = table.create.answers.over(table.answers)
        said.append(answers.provider_reference_at)
    return any(place is not None for place in said)


def _unsaid(create: CreateTable) -> Problems:
    said = said_by(create)
    sending = [c for c in (create, *create.carried()) if REFERENCE in holes_of(c)]
    if not sending:
        yield "create", "must send {reference}: nothing could be matched without it"
    elif not any(is_sent_whole(call, REFERENCE) for call in sending):
        reason = "what comes back in other text is not known as ours"
        yield "create", f"must send {{reference}} by itself: {reason}"
    if not said & AMOUNTS:
        yield "create", "must send an amount: {amount}, {amount_decimal}, …"
    if not said & CURRENCIES:
        yield "create", "must send {currency}: it would pay another one otherwise"
    if not any(n == DESTINATION or n.startswith(OF_DESTINATION) for n in said):
        yield "create", "must send where to: {destination} or parts of it"


def _unsafe_meanings(table: ProviderTable, create: CreateTable) -> Problems:
    shared = table.answers
    yield from unlisted(shared, "answers")
    yield from unlisted(create.answers, "create.answers")
    if table.cancel is not None:
        yield from unlisted(table.cancel.answers, "cancel.answers")
    if shared is not None:
        yield from unsafe_answers(shared, "answers", shared)
    for key, answers in _own_answers(table, create):
        if answers.model_fields_set:
            yield from unsafe_answers(answers, f"{key}.answers", answers.over(shared))
    yield from unsafe_create_answers(create, shared)
    if table.auth is not None and table.auth.oauth2 is not None:
        yield from unsafe_refused_tokens(create, shared)
    if table.asking is not None:
        proof = table.not_found == "definite"
        yield from unsafe_status_answers(table.asking, shared, absence_is_proof=proof)
    if table.cancel is not None:
        yield from unsafe_cancel_answers(table.cancel, shared)


def _own_answers(
    table: ProviderTable, create: CreateTable
) -> Iterator[tuple[str, AnswersTable]]:
    yield "create", create.answers
    if table.asking is not None:
        yield "status", table.asking.answers
    if table.cancel is not None:
        yield "cancel", table.cancel.answers


def _unsafe_webhooks(table: ProviderTable) -> Problems:
    body, webhook = table.webhook_body, table.webhook
    if webhook is not None and body is None:
        yield "webhook_body", "is missing where create and webhook are tables"
    if body is None:
        return
    if webhook is None:
        yield "webhook_body", "has no meaning without webhook"
    yield from _unsafe_webhook(body)


def _unsafe_webhook(body: WebhookBodyTable) -> Problems:
    if not {Telling.SUCCEEDED, Telling.FAILED} & set(body.type_map.values()):
        yield "webhook_body.type_map", "must have a type for succeeded or failed"
    if body.currency_at is not None and body.amount_at is None:
        yield "webhook_body.amount_at", "is missing where there is a currency_at"
    decimal = body.amount_at is not None and body.amount_form == "decimal"
    if decimal and body.currency_at is None:
        yield (
            "webhook_body.currency_at",
            "is missing: how many decimals an amount has is the currency's",
        )


def _unsafe_auth(table: ProviderTable) -> Problems:
    if table.auth is None or table.create is not None:
        return
    for kind in ("hmac", "oauth2"):
        if getattr(table.auth, kind) is not None:
            yield f"auth.{kind}", "has no meaning without create"
