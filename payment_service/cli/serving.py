"""Runs the service in some of its roles."""

from payment_service.cli.failures import Usage
from payment_service.cli.opening import configuration, run_async
from payment_service.settings import ROLES, Settings


def serve(roles: str) -> int:
    """Serve until a signal; return the exit code.

    Settings and configuration are refused before anything heavy is imported.
    """
    wanted = wanted_roles(roles)
    settings = Settings.read(roles=wanted)
    config = configuration(settings)
    from payment_service.wiring.run import run  # noqa: PLC0415 - see above

    return run_async(run(settings, config, wanted))


def wanted_roles(text: str) -> frozenset[str]:
    """Read a list of roles."""
    roles = frozenset(part.strip() for part in text.split(",")) - {""}
    if unknown := sorted(roles - {*ROLES}):
        known = ", ".join(ROLES)
        raise Usage(f"--roles: {', '.join(unknown)} is none of {known}")
    if not roles:
        raise Usage(f"--roles: name at least one of {', '.join(ROLES)}")
    return roles
