"""Reads a parsed body into a model, and tells all that is wrong with it in one line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from fsm.domain.cards import holds_card
from fsm.domain.errors import InvalidRequest
from fsm.domain.field_errors import FieldError, in_body
from fsm.domain.ids import ID_LENGTH_MAX
from fsm.domain.strict_json import refused_body
from fsm.domain.text import REASON_LENGTH_MAX, is_id, is_reason
from payment_service.wire.no_cards import CARD
from payment_service.wire.unknown import model_in, unknown_in

PROBLEMS_MAX: Final = 20
PROBLEM: Final = "problem"
_NOT_AN_OBJECT: Final = frozenset({"model_type", "dict_type", "model_attributes_type"})

M = TypeVar("M", bound="WireModel")


class WireModel(BaseModel):
    """A body from outside: nothing is converted, what is not known is ignored.

    A field's description says what it must be: in the documents, and to a sender
    who did not send it so.
    """

    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )


def problem(text: str) -> PydanticCustomError:
    """Make an error that tells ``text`` where the description would not do."""
    return PydanticCustomError(PROBLEM, "{text}", {"text": text})


def _id(text: str) -> str:
    if not is_id(text):
        raise PydanticCustomError("id", "not an id")
    return text


def _no_card(text: str) -> str:
    if holds_card(text):
        raise problem(CARD)
    return text


def _reason(text: str) -> str:
    if not is_reason(text):
        raise PydanticCustomError("reason", "not a reason")
    return _no_card(text)


ID_RULE: Final = (
    f"a string of 1 to {ID_LENGTH_MAX} characters, without control characters and "
    "without white space at its ends"
)
REASON_RULE: Final = f"a string of 1 to {REASON_LENGTH_MAX} characters that says why"
Id = Annotated[
    str,
    AfterValidator(_id),
    Field(description=ID_RULE, json_schema_extra={"minLength": 1, "maxLength": 128}),
]
OurId = Annotated[Id, AfterValidator(_no_card)]
"""One that whoever sends it has chosen: providers' own may look like anything."""
Reason = Annotated[
    str,
    AfterValidator(_reason),
    Field(
        description=REASON_RULE,
        json_schema_extra={"minLength": 1, "maxLength": REASON_LENGTH_MAX},
    ),
]


def validated(
    model: type[M],
    tree: object,
    *,
    context: Mapping[str, object] | None = None,
    more: Iterable[FieldError] = (),
    order_id: str | None = None,
) -> M:
    """Return the model.

    ``more`` are problems that the caller has found by itself. No message holds a
    value of the body: it could be a token.

    :raises InvalidRequest: names every problem; its warnings, what is not known.
    """
    if not isinstance(tree, dict):
        raise refused_body("the body must be a JSON object")
    errors = list(more)
    try:
        made = model.model_validate(tree, context=dict(context or {}))
    except ValidationError as wrong:
        found = wrong.errors(include_url=False, include_input=False)
        errors = [in_body(e["loc"], _told(model, e)) for e in found] + errors
        raise _refused(errors, order_id, unknown_in(model, tree)) from None
    if errors:
        raise _refused(errors, order_id, unknown_in(model, tree))
    return made


def _refused(
    errors: list[FieldError], order_id: str | None, warnings: Sequence[FieldError]
) -> InvalidRequest:
    """Join the errors, each once, up to a bound."""
    once = list(dict.fromkeys(errors))
    left = len(once) - PROBLEMS_MAX
    told = once[:PROBLEMS_MAX]
    lines = [*map(str, told), *([f"and {left} more"] if left > 0 else [])]
    return InvalidRequest(
        "; ".join(lines), order_id=order_id, errors=told, warnings=warnings
    )


def _told(model: type[WireModel], error: ErrorDetails) -> str:
    """Return what is wrong there."""
    if error["type"] == PROBLEM:
        return error["msg"]
    if error["type"] in _NOT_AN_OBJECT:
        return "must be an object"
    rule = _description(model, error["loc"])
    if error["type"] == "missing":
        return f"is missing; it must be {rule}"
    return f"must be {rule}"


def _description(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Return the description of the field at ``loc``, looked up along the way."""
    here: Any = model
    rule = "as documented"
    for part in loc:
        if isinstance(part, int):
            continue
        field = _field(here, part)
        if field is None:
            break
        rule = field.description or rule
        here = model_in(field.annotation)
        if here is None:
            break
    return rule


def _field(model: type[BaseModel], name: str) -> FieldInfo | None:
    """Return the field that a sender calls ``name``, which may be a word of Python."""
    fields = model.model_fields
    called = (each for each in fields.values() if each.alias == name)
    return fields.get(name) or next(called, None)
