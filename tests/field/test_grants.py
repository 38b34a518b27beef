"""The roles are made by every PostgreSQL that is here, and each does what it has to."""

from pathlib import Path

import psycopg
import pytest

from payment_service.playground.embedded.postgres import installed_programs
from payment_service.playground.embedded.process import Command
from payment_service.storage import migrate
from payment_service.storage.grants import Roles, apply
from payment_service.storage.rights import beyond_need, lacking
from tests.field.cluster import DebianNode, a_server, create_database

WHEEL = installed_programs().parents[1] / "pginstall" / "bin"


class SixteenNode(DebianNode):
    """The other one that the wheel brings."""

    name = "PostgreSQL-16"

    def _initdb(self, programs: Path, data_dir: Path) -> list[str]:
        given = super()._initdb(programs, data_dir)
        return [str(WHEEL / "initdb"), *given[1:]]

    def _command(self) -> Command:
        command = super()._command()
        argv = (str(WHEEL / "postgres"), *command.argv[1:])
        return Command(**{**_fields(command), "argv": argv})


def _fields(command):
    return {name: getattr(command, name) for name in command.__dataclass_fields__}


@pytest.mark.parametrize("kind", [DebianNode, SixteenNode])
@pytest.mark.parametrize("is_superuser", [True, False])
def test_the_roles_are_made_and_suffice(kind, is_superuser):
    with a_server(kind) as server:
        url = create_database(server.url, "payment")
        rest = url.rpartition("@")[2]
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'x'")
            superuser.execute("ALTER DATABASE payment OWNER TO admin")
            superuser.execute("GRANT ALL ON SCHEMA public TO admin WITH GRANT OPTION")
            by = url if is_superuser else f"postgresql://admin:x@{rest}"
            migrate.upgrade(by)
            with psycopg.connect(by, autocommit=True) as admin:
                apply(admin, Roles())
                apply(admin, Roles())
            for _, name in Roles().named():
                superuser.execute(f"ALTER ROLE {name} PASSWORD 'x'")
        with psycopg.connect(f"postgresql://payment_service:x@{rest}") as service:
            assert lacking(service) == beyond_need(service) == []
            service.execute("SELECT make_trail_partitions()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute("CREATE TABLE public.mine ()")
        with psycopg.connect(f"postgresql://payment_reader:x@{rest}") as reader:
            reader.execute("SELECT state FROM order_queues")
        migrate.upgrade(f"postgresql://payment_owner:x@{rest}")
