"""The commands and their options; each imports its work only when it runs."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

import sys
from typing import Annotated, Final

import typer

from payment_service.cli.commands import (
    audit,
    case,
    completion,
    core,
    customer,
    demo,
    dev,
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
from payment_service.cli.commands.helping import (
    BOOKS,
    DOCUMENTS,
    ORDERS,
    OTHERS,
    RUNNING,
    TRYING,
    HelpedGroup,
    command,
)
from payment_service.cli.program import NAME

__all__ = ["app"]

EXAMPLES: Final = (
    "demo",
    "order list --state ACTIVE",
    "order show w-1001 --watch",
    "order show --help",
)

app = typer.Typer(
    name=NAME,
    cls=HelpedGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="\n".join(EXAMPLES),
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    from payment_service.release import version

    if wanted:
        sys.stdout.write(f"{NAME} {version()}\n")
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


command(app, "demo", "demo", "demo --orders 50 --keep", section=TRYING)(demo.demo)
command(app, "dev", "dev --env-file desk.env", section=TRYING)(dev.dev)
app.add_typer(simulator.group, name="simulator", rich_help_panel=TRYING)
command(app, "run", "run", "run --roles worker,relay", section=RUNNING)(run.run)
command(app, "migrate", "migrate", "migrate --sql", section=RUNNING)(migrate.migrate)
command(app, "doctor", "doctor", section=RUNNING)(doctor.doctor)
app.add_typer(order.group, name="order", rich_help_panel=ORDERS)
app.add_typer(customer.group, name="customer", rich_help_panel=ORDERS)
app.add_typer(task.group, name="task", rich_help_panel=ORDERS)
app.add_typer(case.group, name="case", rich_help_panel=ORDERS)
app.add_typer(dlq.group, name="dlq", rich_help_panel=ORDERS)
command(app, "verify", "verify", "verify --core --providers", section=BOOKS)(
    verify.verify
)
command(app, "trail", "trail --limit 20", section=BOOKS)(trail.trail)
app.add_typer(audit.group, name="audit", rich_help_panel=BOOKS)
app.add_typer(provider.group, name="provider", rich_help_panel=OTHERS)
app.add_typer(partner.group, name="partner", rich_help_panel=OTHERS)
app.add_typer(service.group, name="service", rich_help_panel=OTHERS)
app.add_typer(core.group, name="core", rich_help_panel=OTHERS)
app.add_typer(key.group, name="key", rich_help_panel=OTHERS)
app.add_typer(four_eyes.group, name="four-eyes", rich_help_panel=OTHERS)
app.add_typer(spec.group, name="spec", rich_help_panel=DOCUMENTS)
command(app, "completion", "completion bash", section=DOCUMENTS)(completion.completion)
# Its older name, which the contract promises.
command(app, "core-simulator", "core-simulator --port 9002", hidden=True)(
    simulator.core
)
