"""Names the keys of a body that are not known, and so were ignored: its warnings."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from pydantic import BaseModel

from fsm.domain.field_errors import FieldError, in_body
from payment_service.wire.no_cards import UNTOLD, shown_name

IGNORED: Final = "is not known here, and was ignored"


@cache
def _names(model: type[BaseModel]) -> Mapping[str, type[BaseModel] | None]:
    """Return what a sender calls each field, with the model of what it holds."""
    return {
        field.alias or name: model_in(field.annotation)
        for name, field in model.model_fields.items()
    }


def model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model of what a field of this type holds, itself or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inside = getattr(annotation, "__args__", ())
    return next((made for each in inside if (made := model_in(each))), None)


def unknown_in(model: type[BaseModel], tree: object) -> tuple[FieldError, ...]:
    """Return where a parsed body has keys that its model does not know.

    What may hold anything (``metadata``, ``delivery``, ``evidence``) has none.
    """
    return tuple(_unknown(model, tree, ()))


def _unknown(
    model: type[BaseModel], tree: object, path: tuple[int | str, ...]
) -> Iterator[FieldError]:
    if not isinstance(tree, dict):
        return
    names = _names(model)
    for name, value in tree.items():
        if name not in names:
            yield _ignored(path, name)
            continue
        inside = names[name]
        if inside is None:
            continue
        if isinstance(value, list):
            for place, each in enumerate(value):
                yield from _unknown(inside, each, (*path, name, place))
        else:
            yield from _unknown(inside, value, (*path, name))


def _ignored(path: Sequence[int | str], name: str) -> FieldError:
    """Return the warning; its pointer ends before a name that nobody may see."""
    shown = shown_name(name)
    if shown == UNTOLD:
        return in_body(path, f"{UNTOLD} in it {IGNORED}")
    return in_body((*path, shown), IGNORED)
