"""A field of a view that is left out where there is nothing to say, and never null."""

from typing import Annotated, Any, TypeVar

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

T = TypeVar("T")


class _LeftOut:
    """Takes out of a schema that it may be null: then it is not there at all."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler(core)
        forms = [each for each in schema.pop("anyOf") if each != {"type": "null"}]
        return {**schema, **(forms[0] if len(forms) == 1 else {"anyOf": forms})}


LeftOut = Annotated[T | None, _LeftOut()]
"""A field that a view leaves out where it is None."""
