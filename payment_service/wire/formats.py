"""Formats of text that the documents tell: times of RFC 3339 in UTC, and UUIDs."""

from typing import Annotated, TypeAlias

from pydantic import Field

Time: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time as it is written here: ``2026-01-31T23:59:59.000Z``."""
Uuid: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
"""An id that this service has made."""
Day: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date"})]
"""A day as ``2026-12-31``."""
