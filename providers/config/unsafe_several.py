"""Creates of several calls that could pay twice or not be repeated, and why."""

from collections.abc import Iterator
from typing import Final

from providers.config.creates import BeforeTable, CreateTable, FindTable
from providers.config.forms import RequestTable
from providers.config.tables import ProviderTable
from providers.config.unsafe_answers import MAY_BE_A_NO, unlisted, unsafe_answers
from providers.config.unsafe_calls import holes_of, unsafe_call
from providers.config.unsafe_proofs import twice
from providers.config.vocabulary import KEPT, PAYOUT, PROVIDER_REFERENCE, REFERENCE

READ: Final = frozenset(
    {
        "success_codes",
        "code_at",
        "message_at",
        "error_map",
        "reference_at",
        "amount_at",
        "amount_form",
        "currency_at",
    }
)
"""What counts of the answers to a call that comes before."""
ABSENT: Final = MAY_BE_A_NO - {401, 403}

Problems = Iterator[tuple[str, str]]


def carried_by(create: CreateTable) -> frozenset[str]:
    """Return the placeholders of the values that the call that pays may carry."""
    return frozenset(f"{KEPT}{name}" for call in create.before for name in call.keep)


def said_by(create: CreateTable) -> set[str]:
    """Return what the call that pays says, by itself or by what it carries on."""
    calls = [create, *create.carried()]
    return {hole for call in calls for hole in holes_of(call)}


def unsafe_several(table: ProviderTable, create: CreateTable) -> Problems:
    """Name what is wrong with the calls before a create, by their place in the list."""
    known: set[str] = set()
    names: set[str] = set()
    for number, call in enumerate(create.before):
        key = f"create.before[{number}]"
        if call.name in names:
            yield f"{key}.name", f"{call.name!r} is there twice"
        names.add(call.name)
        yield from _unsafe_call(table, call, key, known)
        for name in call.keep:
            if f"{KEPT}{name}" in known:
                yield f"{key}.keep.{name}", "is kept already"
        known |= {f"{KEPT}{name}" for name in call.keep}
    yield from _unused(create)
    yield from _unsafe_repeats(table, create)


def _unsafe_call(
    table: ProviderTable, call: BeforeTable, key: str, known: set[str]
) -> Problems:
    yield from unsafe_call(call, key, PAYOUT | known)
    yield from twice(table, call, f"{key}.headers")
    if PROVIDER_REFERENCE in holes_of(call, needed=True):
        reason = "the provider's own id is known only after the create"
        yield key, f"must not need {{{PROVIDER_REFERENCE}}}: {reason}"
    if (call.repeat is None) == (call.find is None):
        what = '"same", "first" or "another"'
        yield f"{key}.repeat", f"must be {what}; or find, which is asked before it"
    if call.keyed and REFERENCE not in holes_of(call):
        reason = "by what else is a repeat known to be one?"
        yield (
            f"{key}.repeat",
            f"cannot be {call.repeat} without {{reference}}: {reason}",
        )
    if call.find is not None:
        yield from unsafe_call(call.find, f"{key}.find", PAYOUT | known)
        yield from twice(table, call.find, f"{key}.find.headers")
        yield from _unsafe_find(call.find, f"{key}.find")
    yield from _unsafe_effect(table, call, key)
    yield from _unsafe_reading(table, call, f"{key}.answers")


def _unsafe_find(find: FindTable, key: str) -> Problems:
    if REFERENCE not in holes_of(find) and find.reference_at is None:
        yield key, "must send {reference}, or have reference_at: which one is ours?"
    if find.items_at is not None and find.reference_at is None:
        yield f"{key}.reference_at", "is missing: an item may be somebody else's"
    if find.items_at is None and not find.absent:
        yield f"{key}.absent", "is missing: what says that there is none?"
    if wrong := sorted(set(find.absent) - ABSENT):
        listed = ", ".join(map(str, wrong))
        yield f"{key}.absent", f"{listed} must not say that there is none: 404, 410, …"


def _unsafe_effect(table: ProviderTable, call: BeforeTable, key: str) -> Problems:
    if not call.effect:
        return
    if not call.keyed:
        reason = "made again, it moves money twice"
        yield f"{key}.effect", f'needs repeat = "same" or "first": {reason}'
    if table.not_found == "definite":
        reason = "this call may have moved money where no payout is found"
        yield f"{key}.effect", f'cannot be beside not_found = "definite": {reason}'


def _unsafe_reading(table: ProviderTable, call: BeforeTable, key: str) -> Problems:
    yield from unlisted(call.answers, key)
    for name in sorted(call.answers.model_fields_set - READ):
        there = "keep" if name == "provider_reference_at" else "the create's answers"
        yield f"{key}.{name}", f"has no meaning before the create: it is for {there}"
    if call.answers.model_fields_set:
        yield from unsafe_answers(call.answers, key, call.answers.over(table.answers))


def _unused(create: CreateTable) -> Problems:
    finds = [call.find for call in create.before if call.find is not None]
    said = {h for call in (create, *create.before, *finds) for h in holes_of(call)}
    for number, call in enumerate(create.before):
        for name in call.keep:
            if name != PROVIDER_REFERENCE and f"{KEPT}{name}" not in said:
                key = f"create.before[{number}].keep.{name}"
                yield key, f"is carried nowhere: write {{{KEPT}{name}}}, or take it out"


def _unsafe_repeats(table: ProviderTable, create: CreateTable) -> Problems:
    """Name what would ask for another thing under the key of the first."""
    if create.repeat == "first" and not (create.before and table.idempotent_create):
        needs = "without before and idempotent_create"
        yield "create.repeat", f"has no meaning {needs}: nothing is repeated otherwise"
    if not table.idempotent_create:
        return
    other: set[str] = set()
    for number, call in enumerate(create.before):
        if call.repeat == "same":
            yield from _unsafe_key(call, f"create.before[{number}]", other)
        if call.repeat == "another":
            other |= {f"{KEPT}{name}" for name in call.keep}
    if create.repeat == "same":
        yield from _unsafe_key(create, "create", other)
    if REFERENCE not in holes_of(create):
        yield from _unkeyed(create)


def _unsafe_key(call: RequestTable, key: str, other: set[str]) -> Problems:
    carried = ", ".join(f"{{{name}}}" for name in sorted(holes_of(call) & other))
    if carried:
        what = f"a repeat would carry another {carried} under the key of the first"
        mend = 'set "first" where the provider\'s page says that the key alone decides'
        yield (
            f"{key}.repeat",
            f"cannot be same: {what}; {mend}, or no idempotent_create",
        )


def _unkeyed(create: CreateTable) -> Problems:
    """Name what the call that pays is about, where a repeat may make another."""
    said = holes_of(create)
    for number, call in enumerate(create.before):
        if not call.keyed and said & {f"{KEPT}{name}" for name in call.keep}:
            reason = "create does not send {reference}, and would pay for each one made"
            yield (
                f"create.before[{number}].repeat",
                f'must be "same" or "first": {reason}',
            )
