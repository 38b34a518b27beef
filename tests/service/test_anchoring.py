"""A running service brings its anchors out, and goes on where it was."""

from datetime import timedelta
from functools import partial

import psycopg

from fsm.domain.acts import SERVICE
from fsm.domain.anchors import read_anchor
from tests.service.stage import a_withdrawal, staged

EVERY = timedelta(milliseconds=200)
UNCOVERED = (
    "SELECT count(*) FROM (SELECT entity_id, max(version) AS version "
    "FROM order_task_events GROUP BY 1) e WHERE NOT EXISTS (SELECT FROM anchor_heads h "
    "WHERE h.entity_id = e.entity_id AND h.version = e.version)"
)
SERVICES = "SELECT count(*) FROM anchor_heads WHERE entity_id = %s"


def count(url, question, *values):
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute(question, values).fetchall()
        return found


def covered(url, known):
    return count(url, SERVICES, SERVICE) > known and count(url, UNCOVERED) == 0


def out(file, taken):
    return len(file.read_bytes().splitlines()) >= taken


async def test_every_chain_is_anchored_and_its_lines_are_out_across_restarts(
    database_url, nats_server, subject_prefix, tmp_path
):
    file = tmp_path / "anchors.jsonl"
    world = (database_url, nats_server.url, subject_prefix)
    anchored = {"anchor_file": file, "anchor_interval": EVERY}
    for turn in range(2):
        async with staged(*world, **anchored) as stage:
            await stage.ask(a_withdrawal(f"w-{turn}"))
            await stage.final(f"w-{turn}")
            await stage.call(
                "POST",
                "/v1/providers/nova/pause",
                role="admin",
                body={"reason": f"turn {turn}"},
            )
            known = count(database_url, SERVICES, SERVICE)
            await stage.until(partial(covered, database_url, known))
            taken = count(database_url, "SELECT max(n) FROM anchors")
            await stage.until(partial(out, file, taken))
            async with stage.http.get(f"{stage.url}/metrics") as answer:
                assert 'anchor_age_seconds{sink="file"}' in await answer.text()

    numbers = [read_anchor(line).n for line in file.read_bytes().splitlines()]
    assert numbers == [*range(1, len(numbers) + 1)]
