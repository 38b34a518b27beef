"""What all tables of the configuration file are: frozen and strict."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of the file: frozen, strict, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
    )
