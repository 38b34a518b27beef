"""What the last line of a command says of an error, and its exit code."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors as postgres
from sqlalchemy.exc import OperationalError, ProgrammingError

from fsm.domain.errors import (
    AGAIN,
    BusUnavailable,
    CoreUnavailable,
    NotNow,
    PaymentServiceError,
    StoreUnavailable,
)
from handlers.commit import Contended
from payment_service.bus.api import JetStreamRefused
from payment_service.bus.changes import TopologyRefused
from payment_service.bus.connection import OldServer, PermissionRefused
from payment_service.cli.errors import Usage, Wrong, describe
from payment_service.playground.embedded import EmbeddedServerError
from payment_service.settings import SettingsError
from payment_service.storage.fitness import Unfit
from payment_service.wiring.run import SchemaBehind
from providers.config import ConfigError

MIGRATE = "run `payment-service migrate`"
POSTGRES = "see PAYMENT_DATABASE_URL, and whether PostgreSQL runs"
NATS = "see PAYMENT_NATS_URL, and whether NATS runs with JetStream"


def caused(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as raised:
        return raised


def wrapped(cause: psycopg.Error) -> Exception:
    return ProgrammingError("SELECT secret", {}, cause)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Wrong("two offenders"), "two offenders"),
        (NotNow("it is final"), "it is final"),
        (Unfit("too old: use 14 or newer"), "too old: use 14 or newer"),
        (caused(Unfit("old"), psycopg.OperationalError("x")), "old"),
        (SchemaBehind(f"at none: {MIGRATE}"), f"at none: {MIGRATE}"),
        (EmbeddedServerError("no port"), "no port"),
        (StoreUnavailable("no answer"), f"no answer: {POSTGRES}"),
        (BusUnavailable("no answer"), f"no answer: {NATS}"),
        (
            CoreUnavailable("freeze", "timed out"),
            "core freeze: timed out: see PAYMENT_CORE_URL, and whether core runs",
        ),
        (
            OldServer("2.10"),
            (
                "NATS server 2.10 is too old: 2.12 or newer is needed: "
                "install a newer nats-server"
            ),
        ),
        (
            JetStreamRefused("STREAM.CREATE", 503, 10023, "insufficient resources"),
            (
                "JetStream refused STREAM.CREATE: insufficient resources (10023): "
                "see whether JetStream is enabled, and its limits"
            ),
        ),
        (
            PermissionRefused("publish to", "a.b"),
            (
                "NATS does not permit this user to publish to a.b: "
                "`payment-service spec streams` prints what to permit"
            ),
        ),
        (
            TopologyRefused(["ORDER_TASKS is no work queue"]),
            (
                "ORDER_TASKS is no work queue: "
                "`payment-service spec streams` prints what to make"
            ),
        ),
        (
            psycopg.OperationalError("connection refused"),
            f"OperationalError: connection refused: {POSTGRES}",
        ),
        (
            postgres.UndefinedTable('relation "x" does not exist'),
            f'UndefinedTable: relation "x" does not exist: {MIGRATE}',
        ),
        (
            wrapped(postgres.UndefinedTable('relation "x" does not exist')),
            f'ProgrammingError: relation "x" does not exist: {MIGRATE}',
        ),
        (
            caused(StoreUnavailable("no"), postgres.UndefinedTable("x")),
            f"no: {MIGRATE}",
        ),
        (
            OperationalError("SELECT", {}, psycopg.OperationalError("away")),
            f"OperationalError: away: {POSTGRES}",
        ),
        (
            postgres.InsufficientPrivilege("permission denied for table x"),
            (
                "InsufficientPrivilege: permission denied for table x: grant it to the "
                "user of PAYMENT_DATABASE_URL"
            ),
        ),
        (caused(Wrong("cannot read"), BusUnavailable("x")), f"cannot read: {NATS}"),
        (Contended("order queue q moves"), "order queue q moves: " + AGAIN),
        (caused(Contended("moves"), StoreUnavailable("x")), f"moves: {POSTGRES}"),
        (FileNotFoundError(2, "No such file", "a.toml"), None),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_what_went_wrong_is_told_with_its_mend(error, line):
    told = describe(error)
    assert (told.line, told.exit_code) == (line or str(error), 1)


@pytest.mark.parametrize(
    "error",
    [
        Usage("--reason: say why"),
        SettingsError(["PAYMENT_NATS_URL is missing"]),
        ConfigError(["[providers.acme] adapter: unknown"]),
        ValueError("'5x' is not a duration"),
    ],
)
def test_wrong_usage_is_told_as_it_stands(error):
    told = describe(error)
    assert (told.line, told.exit_code) == (str(error), 2)


def every(kind: type[PaymentServiceError]) -> Iterator[type[PaymentServiceError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


@pytest.mark.parametrize("kind", list(every(PaymentServiceError)))
def test_an_error_says_how_it_is_mended_or_its_class_does(kind):
    assert kind.exit_code in {1, 2}
    assert not (kind.says_mend and "mend" in vars(kind))
