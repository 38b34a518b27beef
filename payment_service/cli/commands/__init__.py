"""The commands and their options; each imports its work only when it runs."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

import sys
from typing import Annotated

import typer

from payment_service.cli.commands import (
    audit,
    case,
    customer,
    demo,
    dlq,
    doctor,
    four_eyes,
    key,
    migrate,
    order,
    partner,
    provider,
    run,
    service,
    simulator,
    spec,
    task,
    trail,
    verify,
)
from payment_service.cli.commands.options import MARKUP

__all__ = ["app"]

app = typer.Typer(
    name="payment-service",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=MARKUP,
)


def _tell_version(wanted: bool) -> None:
    from payment_service.release import version

    if wanted:
        sys.stdout.write(f"payment-service {version()}\n")
        raise typer.Exit


@app.callback()
def program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Tell which it is."
        ),
    ] = False,
) -> None:
    """Executes money movements that take from milliseconds to days."""


app.command()(demo.demo)
app.command()(migrate.migrate)
app.command()(run.run)
app.command()(doctor.doctor)
app.command()(verify.verify)
app.command("trail")(trail.trail)
app.command()(simulator.simulator)
app.command("core-simulator")(simulator.core_simulator)
app.add_typer(order.group, name="order")
app.add_typer(customer.group, name="customer")
app.add_typer(task.group, name="task")
app.add_typer(case.group, name="case")
app.add_typer(dlq.group, name="dlq")
app.add_typer(provider.group, name="provider")
app.add_typer(partner.group, name="partner")
app.add_typer(service.group, name="service")
app.add_typer(key.group, name="key")
app.add_typer(four_eyes.group, name="four-eyes")
app.add_typer(audit.group, name="audit")
app.add_typer(spec.group, name="spec")
