"""The commands and their options; each imports its work only when it runs."""

# ruff: noqa: PLC0415 - `--help` must not wait for what only one command needs

import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

# There is no output at all where the shell has closed it.
MARKUP: Final[Literal["rich"] | None] = (
    "rich" if sys.stdout and sys.stdout.isatty() else None
)

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


def _group(name: str, about: str) -> typer.Typer:
    group = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=MARKUP)
    app.add_typer(group, name=name)
    return group


order = _group("order", "Orders with their attempts, audit trail and timers.")
customer = _group("customer", "All that a customer has here.")
task = _group("task", "Attempts at one provider that a person must decide.")
case = _group("case", "Contradictions that a person has to look at.")
dlq = _group("dlq", "Dead letters: messages that could not be handled.")
provider = _group("provider", "The configured providers.")
key = _group("key", "Keys of the API: who may call it, as whom, and until when.")
four_eyes = _group("four-eyes", "From which amounts on two persons decide.")
audit = _group("audit", "The books, for whoever audits them.")
spec = _group("spec", "Prints the generated documents and the state diagrams.")


def _opt(*names: str, text: str, metavar: str | None = None) -> Any:  # noqa: ANN401 - typer's own
    return typer.Option(*names, help=text, metavar=metavar)


Json = Annotated[bool, _opt("--json", text="Print JSON.")]
Limit = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="At most so many.")
]
Cursor = Annotated[str | None, _opt("--cursor", text="Go on where a list ended.")]
OrderId = Annotated[str, typer.Argument(help="An order_id or a queue_id.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="Of the task.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="Of the case.")]
Reason = Annotated[str, _opt("--reason", text="Why; it stands in the record.")]
Evidence = Annotated[str | None, _opt("--evidence", text="What proves it.")]
LetterId = Annotated[str, typer.Argument(metavar="ID", help="Of the dead letter.")]
ProviderName = Annotated[
    str, typer.Argument(metavar="NAME", help="Of the table [providers.NAME].")
]
Host = Annotated[str, _opt("--host", text="Where it listens.")]
Port = Annotated[int, _opt("--port", text="0: any that is free.")]


@app.command()
def demo(
    orders: Annotated[int, typer.Option("--orders", min=1, help="How many.")] = 200,
    seed: Annotated[int, _opt("--seed", text="The same one, the same orders.")] = 7,
    as_json: Annotated[bool, _opt("--json", text="Print the summary alone.")] = False,
    keep: Annotated[bool, _opt("--keep", text="Leave it up at the end.")] = False,
) -> int:
    """Play the whole service in a simulated world; check that the money adds up."""
    from payment_service.playground.demo import run_demo

    return run_demo(orders, seed=seed, as_json=as_json, keep=keep)


@app.command()
def migrate(  # noqa: PLR0917 - an option is a parameter to typer
    as_sql: Annotated[
        bool, _opt("--sql", "--print", text="Print the SQL for a DBA; change nothing.")
    ] = False,
    grants: Annotated[
        bool, _opt("--grants", text="Print the SQL of the three roles instead.")
    ] = False,
    apply: Annotated[
        bool, _opt("--apply", text="With --grants: migrate, then run that SQL.")
    ] = False,
    owner: Annotated[
        str, _opt("--owner", text="The role that has the tables.", metavar="ROLE")
    ] = "payment_owner",
    service: Annotated[
        str, _opt("--service", text="The role of `run`.", metavar="ROLE")
    ] = "payment_service",
    reader: Annotated[
        str, _opt("--reader", text="The role that only reads.", metavar="ROLE")
    ] = "payment_reader",
    schema: Annotated[
        str | None, _opt("--schema", text="Where the tables are, or will be.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Bring the database to the newest schema; with --grants tell who may what."""
    from payment_service.cli import granting, migrating
    from payment_service.cli.failures import Usage

    if (apply and not grants) or (as_sql and grants):
        raise Usage("--apply goes with --grants, and --sql without")
    if grants:
        work = granting.grant if apply else granting.print_grants
        names = {"owner": owner, "service": service, "reader": reader}
        return work(schema=schema, as_json=as_json, **names)
    if as_sql:
        return migrating.print_sql()
    return migrating.migrate(as_json=as_json)


@app.command()
def run(
    roles: Annotated[
        str, _opt("--roles", text="Some of api,worker,relay,sweeper.", metavar="LIST")
    ] = "api,worker,relay,sweeper",
) -> int:
    """Run the service; SIGTERM stops it gracefully."""
    from payment_service.cli import serving

    return serving.serve(roles)


@app.command()
def doctor(as_json: Json = False) -> int:
    """Check everything around the service; say what is wrong and how to mend it."""
    from payment_service.cli.doctor import examine

    return examine(as_json=as_json)


@app.command()
def verify(
    core: Annotated[
        bool, _opt("--core", text="Compare with core's ledger too.")
    ] = False,
    providers: Annotated[
        bool, _opt("--providers", text="Compare with the providers' statements too.")
    ] = False,
    anchors: Annotated[
        list[str] | None,
        _opt(
            "--anchor",
            text="Compare with anchors that went out: a file, - or nats; repeatable.",
            metavar="PLACE",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Check every money invariant over the whole database; name each offender."""
    from payment_service.cli.verifying import verify as work

    return work(core=core, providers=providers, anchors=anchors or [], as_json=as_json)


@audit.command("export")
def audit_export(
    since: Annotated[
        str, _opt("--from", text="With lines of then or later.", metavar="TIME")
    ],
    until: Annotated[str, _opt("--to", text="And before.", metavar="TIME")],
    output: Annotated[
        Path | None, _opt("--output", text="The file; else the output.")
    ] = None,
) -> int:
    """Export the chains that grew in a period and its anchors: JSON lines, signed."""
    from payment_service.cli.exporting import export

    return export(since, until, output=output)


@order.command("show")
def order_show(
    order_id: OrderId,
    as_json: Json = False,
) -> int:
    """Show an order: why each provider was tried, its audit trail, timers and cases."""
    from payment_service.cli import orders

    return orders.show(order_id, as_json=as_json)


@order.command("list")
def order_list(  # noqa: PLR0917 - an option is a parameter to typer
    state: Annotated[str | None, _opt("--state", text="Of the order.")] = None,
    task_state: Annotated[str | None, _opt("--task-state", text="Of a task.")] = None,
    customer: Annotated[str | None, _opt("--customer", text="Its id.")] = None,
    merchant: Annotated[str | None, _opt("--merchant", text="Its id.")] = None,
    provider: Annotated[str | None, _opt("--provider", text="Of a task.")] = None,
    kind: Annotated[str | None, _opt("--kind", text="Of the order.")] = None,
    since: Annotated[
        str | None, _opt("--from", text="Made then or later.", metavar="TIME")
    ] = None,
    until: Annotated[
        str | None, _opt("--to", text="Made before.", metavar="TIME")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List orders, newest first."""
    from payment_service.cli import orders

    sought = orders.search(
        state=state,
        task_state=task_state,
        customer=customer,
        merchant=merchant,
        provider=provider,
        kind=kind,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
    return orders.list_(sought, as_json=as_json)


@order.command("cancel")
def order_cancel(order_id: OrderId, reason: Reason, as_json: Json = False) -> int:
    """Give up an order where and when that is safe.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import people

    return people.cancel_order(order_id, reason=reason, as_json=as_json)


@order.command("erase")
def order_erase(order_id: OrderId, reason: Reason, as_json: Json = False) -> int:
    """Take out of a final order who the customer is and where his money went."""
    from payment_service.cli import forgetting

    return forgetting.erase_order(order_id, reason=reason, as_json=as_json)


@customer.command("erase")
def customer_erase(
    customer_id: Annotated[str, typer.Argument(help="As upstream calls him.")],
    reason: Reason,
    as_json: Json = False,
) -> int:
    """Do so with every order of a customer; one that is under way is named, and stays.

    Run it again once those are final.
    """
    from payment_service.cli import forgetting

    return forgetting.erase_customer(customer_id, reason=reason, as_json=as_json)


@task.command("cancel")
def task_cancel(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Give up one attempt; the order goes on with the next.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import people

    return people.cancel_task(task_id, reason=reason, as_json=as_json)


@task.command("withdraw")
def task_withdraw(task_id: TaskId, reason: Reason, as_json: Json = False) -> int:
    """Take your own vote on a manual check back."""
    from payment_service.cli import people

    return people.withdraw(
        "tasks", task_id, "resolution", reason=reason, as_json=as_json
    )


@task.command("resolve")
def task_resolve(
    task_id: TaskId,
    decision: Annotated[str, typer.Argument(help="positive: paid; or negative.")],
    reason: Reason,
    evidence: Evidence = None,
    settled_by_hand: Annotated[
        bool,
        _opt(
            "--settled-by-hand",
            text="Core has refused, and its books were set right by hand.",
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """Decide a manual check; a large one takes a second person.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import people

    return people.resolve(
        task_id,
        decision,
        reason=reason,
        evidence=evidence,
        by_hand=settled_by_hand,
        as_json=as_json,
    )


@case.command("list")
def case_list(  # noqa: PLR0917 - an option is a parameter to typer
    state: Annotated[
        str | None, _opt("--state", text="open, settling, settled or closed.")
    ] = None,
    kind: Annotated[str | None, _opt("--kind", text="Of the case.")] = None,
    owner: Annotated[str | None, _opt("--owner", text="Whose it is.")] = None,
    queue_id: Annotated[str | None, _opt("--queue", text="Of the order.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List cases, newest first, with what each may cost."""
    from payment_service.cli import cases

    return cases.list_(
        state=state,
        kind=kind,
        owner=owner,
        queue_id=queue_id,
        limit=limit,
        cursor=cursor,
        as_json=as_json,
    )


@case.command("assign")
def case_assign(
    case_id: CaseId,
    owner: Annotated[str, _opt("--owner", text="Who looks after it from now on.")],
    reason: Annotated[
        str | None, _opt("--reason", text="Why; may be left out.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Make somebody the owner of a case."""
    from payment_service.cli import cases

    return cases.assign(case_id, owner=owner, reason=reason, as_json=as_json)


@case.command("settle")
def case_settle(
    case_id: CaseId, reason: Reason, evidence: Evidence = None, as_json: Json = False
) -> int:
    """Have core take back a payout that was returned; a large one takes two.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import people

    return people.settle(case_id, reason=reason, evidence=evidence, as_json=as_json)


@case.command("close")
def case_close(case_id: CaseId, reason: Reason, as_json: Json = False) -> int:
    """Close a case that has been dealt with.

    Without PAYMENT_API_URL and PAYMENT_API_KEY it is only proposed.
    """
    from payment_service.cli import people

    return people.close(case_id, reason=reason, as_json=as_json)


@case.command("withdraw")
def case_withdraw(
    case_id: CaseId,
    reason: Reason,
    closing: Annotated[
        bool, typer.Option("--closing", help="the vote to close it")
    ] = False,
    as_json: Json = False,
) -> int:
    """Take your own vote on a returned payout back, or the one to close a case."""
    from payment_service.cli import people

    call = "close" if closing else "settle"
    return people.withdraw("cases", case_id, call, reason=reason, as_json=as_json)


@dlq.command("list")
def dlq_list(limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> int:
    """List the dead letters that nobody has dealt with, newest first."""
    from payment_service.cli import letters

    return letters.list_(limit=limit, cursor=cursor, as_json=as_json)


@dlq.command("show")
def dlq_show(letter_id: LetterId, as_json: Json = False) -> int:
    """Show a dead letter with its headers and its masked body."""
    from payment_service.cli import letters

    return letters.show(letter_id, as_json=as_json)


@dlq.command("replay")
def dlq_replay(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="Of dead letters.")
    ] = None,
    every: Annotated[bool, _opt("--all", text="All that are open.")] = False,
    subject: Annotated[str | None, _opt("--subject", text="With --all: of it.")] = None,
    dry_run: Annotated[bool, _opt("--dry-run", text="Only say which.")] = False,
    reason: Annotated[
        str | None, _opt("--reason", text="Why; may be left out.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Send dead letters again; a running relay publishes them."""
    from payment_service.cli import letters

    return letters.replay(
        letter_ids or [],
        every=every,
        subject=subject,
        reason=reason,
        dry_run=dry_run,
        as_json=as_json,
    )


@dlq.command("discard")
def dlq_discard(
    letter_id: LetterId,
    reason: Annotated[str, _opt("--reason", text="Why it may go.")],
    as_json: Json = False,
) -> int:
    """Give up a dead letter."""
    from payment_service.cli import letters

    return letters.discard(letter_id, reason=reason, as_json=as_json)


@provider.command("list")
def provider_list(as_json: Json = False) -> int:
    """List the providers with their plans; with a database also how they do."""
    from payment_service.cli import providers

    return providers.list_(as_json=as_json)


@provider.command("pause")
def provider_pause(
    name: ProviderName,
    reason: Annotated[str, _opt("--reason", text="Why it gets no new work.")],
    lasting: Annotated[
        str | None,
        _opt("--for", text="A duration like 2h; else until resumed.", metavar="TIME"),
    ] = None,
    as_json: Json = False,
) -> int:
    """Give a provider no new work; what it has already taken goes on."""
    from payment_service.cli import steering

    return steering.pause(name, reason=reason, lasting=lasting, as_json=as_json)


@provider.command("resume")
def provider_resume(
    name: ProviderName,
    reason: Annotated[str | None, _opt("--reason", text="Why it may again.")] = None,
    as_json: Json = False,
) -> int:
    """Give a provider new work again."""
    from payment_service.cli import steering

    return steering.resume(name, reason=reason, as_json=as_json)


@provider.command("history")
def provider_history(name: ProviderName, as_json: Json = False) -> int:
    """Show who paused and resumed a provider, and why."""
    from payment_service.cli import steering

    return steering.history(name, as_json=as_json)


@provider.command("check")
def provider_check(
    name: Annotated[str, typer.Argument(help="Of the table [providers.NAME].")],
    config: Annotated[
        Path | None, _opt("--config", text="The file, instead of PAYMENT_CONFIG.")
    ] = None,
    only: Annotated[
        list[str] | None, _opt("--scenario", text="Only this; repeatable.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Play the conformance scenarios against an adapter; no real provider is asked."""
    from payment_service.cli import conformance

    return conformance.check(name, config=config, only=only or [], as_json=as_json)


@provider.command("new")
def provider_new(
    name: Annotated[str, typer.Argument(help="Its name, of a-z, 0-9 and _.")],
    style: Annotated[
        Literal["toml", "python"],
        _opt("--style", text="A table for the adapter rest, or an adapter."),
    ] = "toml",
    into: Annotated[
        Path | None, _opt("--into", text="The new folder; the name, if not said.")
    ] = None,
) -> int:
    """Write a folder to begin with a provider: its table or adapter, and its tests."""
    from payment_service.cli import scaffolding

    return scaffolding.new(name, style=style, folder=into)


@provider.command("scenarios")
def provider_scenarios(as_json: Json = False) -> int:
    """List the conformance scenarios, and what each proves."""
    from payment_service.cli import conformance

    return conformance.list_scenarios(as_json=as_json)


@app.command("trail")
def trail(limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> int:
    """Show what was done to the service itself, by whom and why, newest first."""
    from payment_service.cli import trail as lines

    return lines.show(limit=limit, cursor=cursor, as_json=as_json)


KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Of the key.")]
Why = Annotated[str | None, _opt("--reason", text="Why; it stands in the record.")]


@key.command("new")
def key_new(  # noqa: PLR0917 - an option is a parameter to typer
    name: KeyName,
    role: Annotated[
        str, _opt("--role", text="viewer, support, admin or upstream.", metavar="R")
    ],
    merchants: Annotated[
        list[str] | None,
        _opt("--merchants", text="Of upstream: whose orders; joined by +."),
    ] = None,
    person: Annotated[
        str | None, _opt("--person", text="Who holds it, where they have others.")
    ] = None,
    expires: Annotated[
        str | None, _opt("--expires", text="The last day it is taken (UTC).")
    ] = None,
    sha256: Annotated[
        str | None, _opt("--sha256", text="Of a key that its holder made himself.")
    ] = None,
    reason: Why = None,
    as_json: Json = False,
) -> int:
    """Make a key and print it once; the first admin's in the database itself."""
    from payment_service.cli import keys

    return keys.new(
        name,
        role=role,
        merchants=merchants or [],
        person=person,
        expires=expires,
        sha256=sha256,
        reason=reason,
        as_json=as_json,
    )


@key.command("list")
def key_list(limit: Limit = 50, cursor: Cursor = None, as_json: Json = False) -> int:
    """List the keys with who made them and when they were used; no key itself."""
    from payment_service.cli import keys

    return keys.list_(limit=limit, cursor=cursor, as_json=as_json)


@key.command("agree")
def key_agree(name: KeyName, reason: Why = None, as_json: Json = False) -> int:
    """Agree, as a second admin, to a key that waits."""
    from payment_service.cli import keys

    return keys.agree(name, reason=reason, as_json=as_json)


@key.command("revoke")
def key_revoke(name: KeyName, reason: Reason, as_json: Json = False) -> int:
    """End a key for good: within seconds it is taken nowhere."""
    from payment_service.cli import keys

    return keys.revoke(name, reason=reason, as_json=as_json)


@four_eyes.command("show")
def four_eyes_show(as_json: Json = False) -> int:
    """Show from which amounts on two persons decide."""
    from payment_service.cli import thresholds

    return thresholds.show(as_json=as_json)


@four_eyes.command("set")
def four_eyes_set(
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="Minor units, or none.")
    ],
    reason: Reason,
    currency: Annotated[
        str | None, _opt("--currency", text="Left out: all without their own.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Set the amount from which two decide; to ask two less often takes two."""
    from payment_service.cli import thresholds

    return thresholds.put(amount, currency=currency, reason=reason, as_json=as_json)


@spec.command("asyncapi")
def spec_asyncapi() -> int:
    """Print the AsyncAPI document of the messages."""
    from payment_service.cli import specs

    return specs.asyncapi()


@spec.command("openapi")
def spec_openapi() -> int:
    """Print the OpenAPI document of the HTTP API."""
    from payment_service.cli import specs

    return specs.openapi()


@spec.command("fsm")
def spec_fsm() -> int:
    """Print the state diagrams, in Mermaid."""
    from payment_service.cli import specs

    return specs.fsm()


@app.command()
def simulator(
    host: Host = "127.0.0.1",
    port: Port = 0,
    config: Annotated[
        Path | None, _opt("--config", text="Its settings, .toml or .json.")
    ] = None,
    book: Annotated[Path | None, _opt("--book", text="The file of its book.")] = None,
) -> int:
    """Run the simulated providers until it is told to stop."""
    from payment_service.cli import simulators

    return simulators.providers(host, port, config=config, book=book)


@app.command("core-simulator")
def core_simulator(
    host: Host = "127.0.0.1",
    port: Port = 0,
    token: Annotated[str, _opt("--token", text="The bearer token to ask for.")] = "",
    book: Annotated[Path | None, _opt("--book", text="The file of its book.")] = None,
) -> int:
    """Run the simulated core service until it is told to stop."""
    from payment_service.cli import simulators

    return simulators.core(host, port, token=token, book=book)


@spec.command("streams")
def spec_streams() -> int:
    """Print the streams, consumers and permissions of these settings, for NATS."""
    from payment_service.cli import specs

    return specs.streams()
