"""What would link a wrong card, or hang a link, in the tables of partners, and why."""

from collections.abc import Container, Iterable, Iterator
from datetime import timedelta
from typing import Final

from fsm.domain.countries import COUNTRIES
from fsm.domain.durations import format_duration
from providers.config.forms import RequestTable
from providers.config.partners import (
    Eligibility,
    EligibilityTable,
    FileTable,
    PartnerTable,
    RevocationTable,
)
from providers.config.templates import BadTemplate, parse_template
from providers.config.unsafe_answers import MAY_BE_A_NO
from providers.config.unsafe_calls import holes_of, unsafe_call, unsafe_template
from providers.config.unsafe_proofs import twice, unsafe_proofs
from providers.config.unsafe_services import unsafe_timeout
from providers.config.vocabulary import CARD_TOKEN, DATE, LINK, LINK_KEYS

FORM_KEYS: Final = ("eligibility", "fallback_check", "revocation", "file")
OF_REST: Final = (*FORM_KEYS, "notices", "auth", "tls")
BIN_LENGTH: Final = 8

Problems = Iterator[tuple[str, str]]


def unsafe_partner(table: PartnerTable, ack_wait: timedelta) -> Problems:
    """Name what is wrong with a partner's table, by its keys."""
    yield from unsafe_timeout(table.timeout, ack_wait)
    yield from _unsafe_countries(table.countries)
    yield from _unsafe_bins(table.bins)
    yield from _unsafe_waits(table)
    if table.adapter == "rest":
        yield from _unsafe_form(table, ack_wait)
    else:
        for key in OF_REST:
            if key in table.model_fields_set:
                yield key, f"unknown key of the adapter {table.adapter}"


def unsafe_namesakes(partners: Iterable[str], others: Container[str]) -> Iterator[str]:
    """Refuse one name for two: tasks, pauses and metrics know both by it alone."""
    for name in partners:
        if name in others:
            reason = "tasks, pauses and metrics could not tell them apart"
            yield f"[partners.{name}]: a provider has this name: {reason}"


def _unsafe_countries(countries: Iterable[str]) -> Problems:
    seen = set[str]()
    for number, code in enumerate(countries):
        if code not in COUNTRIES:
            yield f"countries[{number}]", f"{code} is no country of ISO 3166-1"
        if code in seen:
            yield f"countries[{number}]", f"{code} is there already"
        seen.add(code)


def _unsafe_bins(bins: Iterable[str]) -> Problems:
    """Name ranges of card numbers that meet: one of them is not what it was to be."""
    last, last_end = "", ""
    for begin, end, text in sorted((*_span(text), text) for text in bins):
        if begin <= last_end:
            yield "bins", f"{last} and {text} overlap"
        if end > last_end:
            last, last_end = text, end


def _span(text: str) -> tuple[str, str]:
    low, _, high = text.partition("-")
    return low.ljust(BIN_LENGTH, "0"), (high or low).ljust(BIN_LENGTH, "9")


def _unsafe_waits(table: PartnerTable) -> Problems:
    fallback, retry = table.fallback, table.retry
    deadline = format_duration(fallback.deadline)
    if fallback.first >= fallback.deadline:
        reason = f"nothing is checked before it ({deadline})"
        yield "fallback.first", f"must be shorter than fallback.deadline: {reason}"
    if fallback.first > fallback.max:
        yield "fallback.first", "must not be longer than fallback.max"
    if retry.first > retry.max:
        yield "retry.first", "must not be longer than retry.max"
    if retry.first >= fallback.deadline:
        reason = "the deadline of the whole link, also where it is away"
        yield "retry.first", f"must be shorter than fallback.deadline: {reason}"
    if table.timeout >= fallback.deadline:
        yield "fallback.deadline", "must be longer than timeout"


def _unsafe_form(table: PartnerTable, ack_wait: timedelta) -> Problems:
    if table.base_url is None:
        yield "base_url", "is missing"
    if table.options:
        yield "options", "unknown key of the adapter rest"
    if table.fallback_check is not None and table.file is not None:
        yield "fallback_check", "must not be there beside file, which answers them"
    if table.fallback_check is not None and table.eligibility is None:
        yield "fallback_check", "has no meaning without eligibility"
    if table.revocation is not None and not table.notices:
        yield "revocation", "has no meaning where notices = false"
    for key in ("eligibility", "fallback_check"):
        call: EligibilityTable | None = getattr(table, key)
        if call is not None:
            yield from _unsafe_question(table, call, key)
    if table.revocation is not None:
        yield from _unsafe_revocation(table, table.revocation)
    yield from unsafe_proofs(table)
    if table.auth is not None and table.auth.oauth2 is not None:
        yield "auth.oauth2", "has a meaning for a provider with a create alone"
    if table.file is not None:
        yield from _unsafe_file(table.file, ack_wait)


def _unsafe_call(table: PartnerTable, call: RequestTable, key: str) -> Problems:
    yield from unsafe_call(call, key, LINK)
    yield from twice(table, call, f"{key}.headers")
    if call.body_form != "json":
        yield f"{key}.body_form", "must be json: partners are asked in no other form"
    in_url = RequestTable(method="GET", path=call.path, query=call.query)
    if CARD_TOKEN in holes_of(in_url):
        reason = "servers and proxies write down what is asked for"
        yield key, f"must not have {{{CARD_TOKEN}}} in path or query: {reason}"


def _unsafe_question(table: PartnerTable, call: EligibilityTable, key: str) -> Problems:
    yield from _unsafe_call(table, call, key)
    said = holes_of(call)
    if CARD_TOKEN not in said:
        yield key, f"must send {{{CARD_TOKEN}}}: which card is meant?"
    if not said & LINK_KEYS:
        reason = "a repeat is known by it to be the same question"
        yield key, f"must send one of {{key}}, {{task_id}} and {{order_id}}: {reason}"
    answers = call.answers
    yield from _unsafe_results(answers.results.values(), f"{key}.answers.results")
    for name in answers.echoes:
        if name not in LINK:
            known = ", ".join(sorted(LINK))
            yield f"{key}.answers.echoes.{name}", f"must be one of {known}"
    for number, entry in enumerate(answers.refusals):
        where = f"{key}.answers.refusals[{number}]"
        if wrong := sorted(set(entry.http) - MAY_BE_A_NO):
            listed = ", ".join(map(str, wrong))
            yield (
                f"{where}.http",
                f"{listed} must not mean no: it is not definite",
            )
        if not entry.http or not entry.codes:
            reason = "a wrong path, or a proxy, answers with a bare HTTP status too"
            yield where, f"must have http and codes: {reason}"
        if not answers.code_at:
            yield f"{where}.codes", "cannot be read without code_at"


def _unsafe_results(results: Iterable[Eligibility], key: str) -> Problems:
    known = set(results)
    for needed in (Eligibility.ELIGIBLE, Eligibility.NOT_ELIGIBLE):
        if needed not in known:
            yield key, f"must have a word for {needed}"


def _unsafe_revocation(table: PartnerTable, call: RevocationTable) -> Problems:
    yield from _unsafe_call(table, call, "revocation")
    if not holes_of(call) & (LINK_KEYS | {CARD_TOKEN, "customer_id"}):
        yield "revocation", "must say which: {key}, {task_id}, {order_id}, …"
    if wrong := sorted(set(call.done) - MAY_BE_A_NO):
        listed = ", ".join(map(str, wrong))
        yield "revocation.done", f"{listed} must not mean done: only 2xx, 404, 410, …"


def _unsafe_file(table: FileTable, ack_wait: timedelta) -> Problems:
    for key, problem in unsafe_timeout(table.timeout, ack_wait):
        yield f"file.{key}", problem
    yield from _unsafe_path(table)
    columns = table.columns
    if (columns.card_token, columns.order_id, columns.task_id) == (None, None, None):
        reason = "a customer may have several cards"
        yield "file.columns", f"must have card_token, order_id or task_id: {reason}"
    named = [getattr(columns, name) for name in type(columns).model_fields]
    named = [each for each in named if each is not None]
    if len(set(named)) < len(named):
        yield "file.columns", "must have each column once"
    if not table.dated and table.knows_by_day:
        reason = "a line may be about an earlier link of the same card"
        yield (
            "file.columns",
            f"must have order_id, task_id or time, or path a {{date}}: {reason}",
        )
    yield from _unsafe_results(table.results.values(), "file.results")


def _unsafe_path(table: FileTable) -> Problems:
    yield from unsafe_template(table.path, "file.path", frozenset({DATE}))
    if not table.path.startswith("/") or "//" in table.path or "/../" in table.path:
        yield "file.path", "must be a path like /reports/links-{date}.csv"
    try:
        holes = parse_template(table.path).holes
    except BadTemplate:
        return
    if any(hole.optional for hole in holes):
        yield "file.path", "must have no optional placeholder"
    if not table.dated and "days" in table.model_fields_set:
        yield "file.days", "has no meaning where path has no {date}"
