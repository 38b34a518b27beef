"""`doctor`: whether everything around the service is well."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

from payment_service.cli.commands.options import Json


def doctor(as_json: Json = False) -> int:
    """Check everything around the service; say what is wrong and how to mend it."""
    from payment_service.cli.doctor import examine

    return examine(as_json=as_json)
