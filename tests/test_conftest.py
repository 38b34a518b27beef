"""Every test has a database and a corner of NATS to itself."""

import nats
import psycopg
import pytest
from nats.js.errors import NotFoundError


def tables(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {name for (name,) in rows}


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_is_migrated_and_clean(database_url, turn):
    assert "order_tasks" in tables(database_url)

    with psycopg.connect(database_url) as connection:
        connection.execute(f"CREATE TABLE mine AS SELECT {turn} AS turn")

    assert "mine" in tables(database_url)


def test_an_empty_database_has_no_tables(empty_database_url):
    assert tables(empty_database_url) == set()


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_prefix_is_new(nats_server, subject_prefix, turn):
    async with await nats.connect(nats_server.url) as client:
        stream = client.jetstream()
        name = f"{subject_prefix}_MINE"
        with pytest.raises(NotFoundError):
            await stream.stream_info(name)

        await stream.add_stream(name=name, subjects=[f"{subject_prefix}.{turn}"])
