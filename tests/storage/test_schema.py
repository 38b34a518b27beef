"""The schema itself: what it refuses, how it is made, which indexes are used."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy.dialects import postgresql

from fsm.domain.dead_letters import Reason
from fsm.domain.webhook_events import WebhookEventState
from fsm.engine.words import (
    FINAL,
    LIVE,
    CaseKind,
    CaseState,
    EngineWait,
    Kind,
    OrderState,
    State,
    Verdict,
)
from fsm.payout.words import Waiting
from handlers.ports.reads import Search
from payment_service.storage import migrate
from payment_service.storage import statements as named
from payment_service.storage.fitness import Unfit
from payment_service.storage.reads import TRAILS
from payment_service.storage.record import RECORD
from payment_service.storage.searching import searching
from payment_service.storage.session import Door, connect_plainly
from payment_service.storage.tables import METADATA
from tests.clones import cloned
from tests.storage.builders import a_new_order
from tests.storage.undoing import refused_of

QUEUE = """
INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, amount,
    currency, state, version, request, content_hash, signed_by, signature, audit_hash,
    created_at, updated_at)
VALUES ('0195f1de-0000-7000-8000-000000000001', 'withdrawal',
    'w-1', 'm-1', 'c-1', 100, 'EUR', 'ACTIVE', 1,
    '{}', '', 'open', '', '', now(), now())
"""
ANOTHER = QUEUE.replace("000001'", "000009'").replace("w-1", "w-9")
EXCLUSIVE = ANOTHER.replace("kind,", "kind, exclusive_key,", 1).replace(
    "'withdrawal',", "'withdrawal', 'k',"
)
LOADING = ANOTHER.replace("kind,", "kind, waiting_for, wake_at,", 1).replace(
    "'withdrawal',", "'withdrawal', 'load', now(),"
)
LATER = "UPDATE order_queues SET {} WHERE order_id = 'w-9'"
LOADED = ANOTHER.replace("kind,", "kind, loaded,", 1).replace(
    "'withdrawal',", "'withdrawal', '{\"a\": 1}',"
)
TASK = """
INSERT INTO order_tasks (task_id, queue_id, position, provider, state, version,
    waiting_for, wake_at, audit_hash, created_at, updated_at)
VALUES ('0195f1de-0000-7000-8000-00000000000{n}',
    '0195f1de-0000-7000-8000-000000000001',
    {n}, 'acme', 'PENDING', 1, 'turn', NULL,
    '', now(), now())
"""
OF_A_CHORE = """
INSERT INTO order_tasks (task_id, queue_id, position, lifecycle, {columns}, state,
    version, waiting_for, audit_hash, created_at, updated_at)
VALUES ('0195f1de-0000-7000-8000-00000000000{n}',
    '0195f1de-0000-7000-8000-000000000001',
    {n}, 'chore', {values}, 'PENDING', 1, 'turn', '', now(), now())
"""
EVENT = """
INSERT INTO order_task_events (entity_id, version, queue_id, target, trigger, actor, at,
    detail, key_id, hash)
VALUES ('0195f1de-0000-7000-8000-000000000002', 1,
    '0195f1de-0000-7000-8000-000000000001', 'PENDING', 'x', 'system', now(), '{}',
    'open', '')
"""
CASE = """
INSERT INTO cases (id, kind, queue_id, order_id, task_id, provider, amount, currency,
    money_at_risk, detail, opened_at)
VALUES (gen_random_uuid(), 'contradiction', '0195f1de-0000-7000-8000-000000000001',
    'w-1', '0195f1de-0000-7000-8000-000000000002', 'acme',
    1, 'EUR', 1, '{}', now())
"""
ONE_OPEN = CASE.replace("contradiction", "balance_refused")
WEBHOOK = """
INSERT INTO webhook_inbox (provider, event_id, type, reference, detail, body_hash,
    content_hash, signed_by, signature, received_at, wake_at)
VALUES ('acme', 'e-1', 'x', 'r', '{}', '', '', 'open', '', now(), now())
"""
INBOX = "UPDATE webhook_inbox SET {}"
RESULT = """
INSERT INTO order_task_results (queue_id, task_id, result_hash, result)
VALUES ('0195f1de-0000-7000-8000-000000000001',
    '0195f1de-0000-7000-8000-000000000002', 'x', '{"a": 1}')
"""
LATER_RESULT = "UPDATE order_task_results SET {}"
LETTER = """
INSERT INTO dead_letters (id, subject, reason, error, deliveries, body, headers, at)
VALUES (gen_random_uuid(), 's', 'invalid', 'e', 1, '', '{}', now())
"""


@pytest.fixture(scope="module")
def shared(postgres_server, database_template):
    """Give a connection to a database of all of these tests, which leave it empty."""
    with cloned(postgres_server, database_template) as name:
        url = postgres_server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


@pytest.fixture
def rows(shared):
    """Give a connection to a database with one order of two tasks; all is undone."""
    with shared.transaction(force_rollback=True):
        shared.execute(QUEUE)
        for n in (2, 3):
            shared.execute(TASK.format(n=n))
        for statement in (EVENT, CASE, WEBHOOK, LETTER):
            shared.execute(statement)
        yield shared


RECORDED = (
    "steps",
    "tasks",
    "queues",
    "events",
    "cases",
    "case_moves",
    "webhook",
    "messages",
    "results",
)
WAITS = "UPDATE order_tasks SET version = 2, waiting_for ="
DUE = "wake_at = now(), watch_at = now()"
ENDS = "UPDATE order_tasks SET version = 2, waiting_for = NULL, state ="
A_THRESHOLD = (
    "INSERT INTO four_eyes (currency, amount, signed_by, signature) "
    "VALUES ('E', {}, '', '')"
)
A_KEY = (
    "INSERT INTO api_keys (name, role, sha256, made_by, made_person, made_at, "
    "signed_by, signature) VALUES ('ann', 'viewer', '\\x1f', 'user:a', 'user:a', "
    "now(), 'open', '\\x00')"
)


def then(*statements):
    return "; ".join(statements)


ANCHOR = (
    "INSERT INTO anchors (n, at, complete_to, heads, root, previous, key_id, mac, "
    "seq_to, xid_from, xid_to) VALUES ({}, now(), now(), 0, '', '', 'k', '', 0, 0, 0)"
)
HEAD = (
    "INSERT INTO anchor_heads (entity_id, version, n, queue_id, hash) "
    "VALUES (gen_random_uuid(), 1, 1, gen_random_uuid(), '')"
)

# An order that is over, without the line that says that it was erased.
OVER = "UPDATE order_queues SET version = 2, state = 'FAILED', finished_at = now(),"
BLANK = '{"destination": {}, "metadata": {}, "erased": true}'
POSTED = (
    "INSERT INTO outbox (message_id, subject, body, messages) VALUES ('m', 's', '',"
)
REFUSED = {
    **refused_of(CASE),
    "ck_order_queues_money": [
        ANOTHER.replace("100, 'EUR'", money)
        for money in ("NULL, 'EUR'", "100, NULL", "NULL, NULL")
    ],
    "ck_order_queues_loads": [
        LOADING.replace("'ACTIVE'", "'REVERSING'"),
        LOADING.replace("kind,", "kind, loaded,", 1).replace(
            "'withdrawal',", "'withdrawal', '{}',"
        ),
        then(LOADING, LATER.format("loaded = '{}'")),
    ],
    "order_queues_loaded_at_its_stage": [
        "UPDATE order_queues SET loaded = '{}'",
        "UPDATE order_queues SET loaded = '{}', version = 2",
        then(
            LOADING, LATER.format("loaded = '{}', waiting_for = NULL, wake_at = NULL")
        ),
    ],
    "ck_cases_money": [
        CASE.replace("1, 'EUR', 1", money)
        for money in ("NULL, 'EUR', 0", "1, NULL, 0", "NULL, NULL, 1")
    ],
    "ck_order_queues_flow_version": [
        ANOTHER.replace("kind,", "kind, flow_version,", 1).replace(
            "'withdrawal',", "'withdrawal', 0,"
        )
    ],
    "uq_order_queues_exclusive": [
        then(EXCLUSIVE, EXCLUSIVE.replace("000009'", "000008'").replace("w-9", "w-8"))
    ],
    "ck_order_queues_amount": [
        ANOTHER.replace("100, 'EUR'", f"{amount}, 'EUR'")
        for amount in (0, -1, 9007199254740992)
    ],
    "ck_order_queues_kind": [ANOTHER.replace("withdrawal", "gift")],
    "ck_order_queues_currency": [ANOTHER.replace("EUR", "eur")],
    "ck_order_queues_state": [
        "UPDATE order_queues SET state = 'LOST', version = 2, finished_at = now()"
    ],
    "ck_order_queues_finished": [
        "UPDATE order_queues SET state = 'FAILED', version = 2",
        "UPDATE order_queues SET version = 2, finished_at = now()",
    ],
    "ck_order_queues_waits": [
        "UPDATE order_queues SET wake_at = now()",
        "UPDATE order_queues SET version = 2, waiting_for = 'notification'",
    ],
    "ck_order_queues_waiting_for": [
        "UPDATE order_queues SET version = 2, waiting_for = 'turn', wake_at = now()"
    ],
    "order_queues_version_grows_by_one": [
        "UPDATE order_queues SET version = 3",
        "UPDATE order_queues SET version = 0",
        "UPDATE order_queues SET state = 'FAILED', finished_at = now()",
    ],
    "order_queues_identity_is_fixed": [
        "UPDATE order_queues SET amount = 101",
        "UPDATE order_queues SET currency = 'USD'",
        "UPDATE order_queues SET order_id = 'w-2'",
        "UPDATE order_queues SET merchant_id = 'm-2'",
        "UPDATE order_queues SET content_hash = 'x'",
        "UPDATE order_queues SET signed_by = 'x'",
        "UPDATE order_queues SET created_at = now() - interval '1 day'",
    ],
    "order_queues_person_is_fixed": [
        "UPDATE order_queues SET signature = 'x'",
        "UPDATE order_queues SET customer_id = 'c-2'",
        "UPDATE order_queues SET request = '[]'",
        "UPDATE order_queues SET version = 2, customer_id = ''",
        f"{OVER} customer_id = '', request = '{BLANK}'",
        then(LOADED, LATER.format("loaded = '{}', version = 2")),
        then(LOADED, LATER.format("loaded = NULL")),
    ],
    "uq_order_queues_order": [QUEUE.replace("000001'", "000009'")],
    "ck_order_tasks_state": ["UPDATE order_tasks SET state = 'LOST', version = 2"],
    "ck_order_tasks_position": [TASK.replace("{n}, 'acme'", "64, 'acme'").format(n=9)],
    "ck_outbox_whole": [
        "INSERT INTO outbox (message_id, subject) VALUES ('m', 's')",
        "INSERT INTO outbox (messages) VALUES (1)",
        "INSERT INTO outbox (bundle, messages) VALUES ('[]', 0)",
        "INSERT INTO outbox (bundle, message_id) VALUES ('[]', 'm')",
        f"{POSTED} 2)",
    ],
    "pk_order_task_results": [then(RESULT, RESULT)],
    "fk_order_task_results_task_id": [RESULT.replace("000002'", "000008'")],
    "order_task_results_written_once": [
        then(RESULT, LATER_RESULT.format(change))
        for change in (
            "result = '{}'",
            "result = NULL",
            "result_hash = 'y'",
            "task_id = '0195f1de-0000-7000-8000-000000000003'",
            "queue_id = '0195f1de-0000-7000-8000-000000000009'",
        )
    ],
    "order_task_results_stay": [then(RESULT, "DELETE FROM order_task_results")],
    "order_task_results_no_truncate": ["TRUNCATE order_task_results"],
    "uq_order_tasks_position": [TASK.replace("{n}, 'acme'", "2, 'acme'").format(n=9)],
    "fk_order_tasks_queue_id": [TASK.replace("000001'", "000008'").format(n=9)],
    "ck_order_tasks_waits": [
        f"{WAITS} NULL",
        f"{WAITS} 'freeze'",
        "UPDATE order_tasks SET state = 'CANCELLED', version = 2",
        f"{ENDS} 'CANCELLED', wake_at = now()",
    ],
    "ck_order_tasks_returned": [
        "UPDATE order_tasks SET version = 2, returned = true",
        f"{WAITS} 'return', wake_at = now()",
    ],
    "ck_order_tasks_step": [
        OF_A_CHORE.format(n=9, columns="name, step", values=f"'A', {step}")
        for step in (-1, 64)
    ],
    "ck_order_tasks_named": [
        TASK.replace("'acme'", "NULL").format(n=9),
        OF_A_CHORE.format(n=9, columns="terminal_id", values="NULL"),
        TASK.replace("provider,", "name, provider,")
        .replace("'acme'", "'acme', NULL")
        .format(n=9),
    ],
    "ck_order_tasks_waiting_for": [f"{WAITS} 'godot', wake_at = now()"],
    "ck_order_tasks_verdict": ["UPDATE order_tasks SET verdict = 'maybe', version = 2"],
    "ck_order_tasks_succeeded": [f"{ENDS} 'SUCCEEDED' WHERE position = 2"],
    "ck_order_tasks_unpaid": [
        f"{ENDS} '{state}', verdict = 'paid' WHERE position = 2"
        for state in ("SKIPPED", "FAILED", "CANCELLED")
    ],
    "ck_order_tasks_contradicting_calls": [
        f"{WAITS} 'commit', wake_at = now()",
        f"{WAITS} 'commit', wake_at = now(), verdict = 'not_paid'",
        f"{WAITS} 'rollback', wake_at = now(), verdict = 'paid'",
    ],
    "order_tasks_version_grows_by_one": [
        "UPDATE order_tasks SET version = 3",
        "UPDATE order_tasks SET state = 'CREATING' WHERE position = 2",
        (
            "UPDATE order_tasks SET waiting_for = 'freeze', wake_at = now(), "
            "watch_at = now() WHERE position = 2"
        ),
        "UPDATE order_tasks SET verdict = 'paid'",
        "UPDATE order_tasks SET audit_hash = 'x'",
        "UPDATE order_tasks SET taken = true",
        "UPDATE order_tasks SET cancel_requested = true",
        "UPDATE order_tasks SET tries = 7",
        "UPDATE order_tasks SET proposed_by = 'key:eve'",
        "UPDATE order_tasks SET proposed_decision = 'positive'",
        "UPDATE order_tasks SET provider_reference = 'po_other'",
        "UPDATE order_tasks SET code = 'x'",
        "UPDATE order_tasks SET sent_first_at = now() - interval '1 day'",
        "UPDATE order_tasks SET sent_last_at = now() - interval '1 day'",
        "UPDATE order_tasks SET sla_at = now() - interval '1 day'",
        "UPDATE order_tasks SET deadline_at = now() - interval '1 day'",
        "UPDATE order_tasks SET updated_at = now() - interval '1 day'",
    ],
    "order_tasks_identity_is_fixed": [
        "UPDATE order_tasks SET provider = 'zeta'",
        "UPDATE order_tasks SET terminal_id = 't'",
        "UPDATE order_tasks SET position = position + 7",
        "UPDATE order_tasks SET sla = '3d'",
        "UPDATE order_tasks SET lifecycle = 'chore'",
        "UPDATE order_tasks SET step = 1",
        "UPDATE order_tasks SET name = 'Ann'",
        "UPDATE order_tasks SET created_at = now() - interval '1 day'",
    ],
    "uq_order_tasks_one_live": [
        f"{WAITS} 'decision', state = 'MANUAL_CHECK'",
        f"{WAITS} 'freeze', {DUE}",
    ],
    "ck_order_tasks_watched": [
        f"{WAITS} 'freeze', wake_at = now()",
        f"{WAITS} 'decision', watch_at = now()",
        f"{WAITS} 'freeze', wake_at = now(), watch_at = now() + interval '1 s'",
    ],
    "uq_order_tasks_one_succeeded": [f"{ENDS} 'SUCCEEDED', verdict = 'paid'"],
    "order_task_events_append_only": [
        "UPDATE order_task_events SET actor = 'nobody'",
        "DELETE FROM order_task_events",
        "DELETE FROM order_task_events_rest",
    ],
    "order_task_events_no_truncate": ["TRUNCATE order_task_events"],
    "order_task_events_rest_pkey": [EVENT],
    "ck_anchors_n": [ANCHOR.format(0)],
    "anchors_append_only": [
        f"{ANCHOR.format(1)}; {change}"
        for change in ("UPDATE anchors SET heads = 1", "DELETE FROM anchors")
    ],
    "anchors_no_truncate": ["TRUNCATE anchors"],
    "anchor_heads_append_only": [
        f"{HEAD}; {change}"
        for change in ("UPDATE anchor_heads SET n = 2", "DELETE FROM anchor_heads")
    ],
    "anchor_heads_no_truncate": ["TRUNCATE anchor_heads"],
    "ck_webhook_inbox_state": [
        "UPDATE webhook_inbox SET state = 'lost', wake_at = NULL"
    ],
    "ck_webhook_inbox_waits": [
        "UPDATE webhook_inbox SET state = 'applied'",
        "UPDATE webhook_inbox SET wake_at = NULL",
    ],
    "uq_webhook_inbox_event": [WEBHOOK],
    "webhook_inbox_content_is_fixed": [
        INBOX.format(changed)
        for changed in (
            "inbox_id = DEFAULT",
            "provider = 'zeta'",
            "event_id = 'e-2'",
            "type = 'y'",
            "reference = 's'",
            "task_id = gen_random_uuid()",
            "provider_reference = 'po_9'",
            "amount = 1",
            "currency = 'EUR'",
            "code = 'c'",
            "body_hash = '\\x00'",
            "content_hash = '\\x00'",
            "sequence = 1",
            "seen_as = 'e-0'",
            "signed_by = 'k'",
            "signature = '\\x00'",
            "received_at = now() - interval '9 days'",
        )
    ],
    "webhook_inbox_settled_stays": [
        then(
            INBOX.format(f"wake_at = NULL, state = {was}"),
            INBOX.format(f"state = {becomes}"),
        )
        for was, becomes in (
            ("'applied'", "'known'"),
            ("'known'", "'waiting', wake_at = now()"),
            ("'ignored'", "'waiting', wake_at = now()"),
            ("'dead'", "'known'"),
        )
    ],
    # The first is not a week old, the second names what may be a task of ours.
    "webhook_inbox_stays": [
        "DELETE FROM webhook_inbox",
        then(
            WEBHOOK.replace("reference, ", "reference, task_id, ")
            .replace("'e-1', 'x', 'r'", "'e-2', 'x', 'r', gen_random_uuid()")
            .replace("now(), now()", "now() - interval '9 days', now()"),
            "DELETE FROM webhook_inbox WHERE task_id IS NOT NULL",
        ),
    ],
    "webhook_inbox_no_truncate": ["TRUNCATE webhook_inbox"],
    "ck_dead_letters_reason": [LETTER.replace("'invalid'", "'bored'")],
    "ck_dead_letters_one_end": [
        "UPDATE dead_letters SET replayed_at = now(), discarded_at = now()"
    ],
    "ck_cases_kind": [CASE.replace("contradiction", "odd")],
    "ck_cases_provider": [CASE.replace("'acme'", "''")],
    "ck_cases_state": [
        "UPDATE cases SET state = 'odd', closed_at = now(), closed_by = 'x'"
    ],
    "ck_cases_closed": [
        "UPDATE cases SET closed_at = now()",
        "UPDATE cases SET closed_at = now(), closed_by = 'x'",
        "UPDATE cases SET state = 'closed'",
    ],
    "ck_cases_settlement": ["UPDATE cases SET state = 'settling'"],
    "ck_cases_money_at_risk": [CASE.replace("1, 'EUR', 1", "1, 'EUR', -1")],
    "uq_cases_one_open": [f"{ONE_OPEN}; {ONE_OPEN}"],
    "fk_cases_queue_id": [CASE.replace("000001'", "000008'")],
    "ck_parked_words": [
        "INSERT INTO parked (id, words) VALUES (gen_random_uuid(), '{}')"
    ],
    "ck_parked_whole": [
        (
            "INSERT INTO parked (id, words, subject) "
            "VALUES (gen_random_uuid(), '{state X}', 'order.x')"
        )
    ],
    "ck_provider_controls_state": [
        (
            "INSERT INTO provider_controls (provider, state, reason, changed_by, "
            "changed_at) VALUES ('acme', 'gone', 'r', 'key:a', now())"
        )
    ],
    "ck_api_keys_role": [A_KEY.replace("'viewer'", "'owner'")],
    "uq_api_keys_sha256": [f"{A_KEY}; {A_KEY.replace('ann', 'bob')}"],
    "uq_api_keys_name": [f"{A_KEY}; {A_KEY.replace('ann', 'ANN').replace('1f', '2f')}"],
    "ck_api_keys_agreed": [then(A_KEY, "UPDATE api_keys SET agreed_by = 'key:bob'")],
    "ck_api_keys_revoked": [then(A_KEY, "UPDATE api_keys SET revoked_at = now()")],
    "api_keys_identity_is_fixed": [
        *(
            then(A_KEY, changed)
            for changed in (
                "UPDATE api_keys SET role = 'admin'",
                "UPDATE api_keys SET person = 'bob'",
                "UPDATE api_keys SET merchants = '{m-1}'",
                "UPDATE api_keys SET expires = now()",
                "UPDATE api_keys SET takes_two = true",
                "UPDATE api_keys SET made_person = 'bob'",
            )
        ),
        then(
            A_KEY,
            "UPDATE api_keys SET revoked_by = 'a', revoked_at = now()",
            "UPDATE api_keys SET revoked_by = NULL, revoked_at = NULL",
        ),
    ],
    "api_keys_stay": [then(A_KEY, "DELETE FROM api_keys")],
    "api_keys_no_truncate": ["TRUNCATE api_keys"],
    "ck_four_eyes_amount": [A_THRESHOLD.format(0)],
    "four_eyes_stay": [then(A_THRESHOLD.format(1), "DELETE FROM four_eyes")],
    "four_eyes_no_truncate": ["TRUNCATE four_eyes"],
    "ck_provider_health_state": [
        (
            "INSERT INTO provider_health (provider, replica, state, in_flight, calls, "
            "failed, refused, joined_at, seen_at) "
            "VALUES ('acme', 'r-1', 'paused', 0, 0, 0, 0, now(), now())"
        )
    ],
}


@pytest.mark.attack(
    "database",
    "What a guard or constraint refuses is refused to everybody's statements",
)
@pytest.mark.parametrize("constraint", REFUSED)
def test_the_database_refuses(rows, constraint):
    for statement in REFUSED[constraint]:
        with pytest.raises(psycopg.IntegrityError) as refused, rows.transaction():
            rows.execute(statement)
        assert refused.value.diag.constraint_name == constraint, statement


# A table of one's own that says what a guard would look for in ours.
OWN_LINES = """
CREATE TEMP TABLE order_task_events AS
SELECT queue_id AS entity_id, 3 AS version, substr(audit_hash, 1, 32) AS hash,
    'order.erased' AS trigger FROM order_queues
"""
OWN_ORDERS = """
CREATE TEMP TABLE order_queues AS
SELECT queue_id, '' AS customer_id, order_id FROM public.order_queues;
UPDATE dead_letters SET discarded_at = now(), discarded_by = 'ann', discard_reason = 'r'
"""


@pytest.mark.attack("database", "A guard is shown no table in place of ours")
@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        (
            "order_queues_person_is_fixed",
            then(
                f"{OVER} tries = 0",
                OWN_LINES,
                f"{OVER} customer_id = '', request = '{BLANK}'".replace("2", "3"),
            ),
        ),
        (
            "order_task_results_written_once",
            then(RESULT, OWN_ORDERS, LATER_RESULT.format("result = NULL")),
        ),
        (
            "dead_letters_content_is_fixed",
            then(
                LETTER.replace("deliveries,", "deliveries, order_id,").replace(
                    "1, '',", "1, 'w-1', 'secret',"
                ),
                OWN_ORDERS,
                "UPDATE dead_letters SET body = '' WHERE order_id = 'w-1'",
            ),
        ),
    ],
)
def test_a_guard_looks_at_no_table_of_its_callers(rows, constraint, statement):
    with pytest.raises(psycopg.IntegrityError) as refused:
        rows.execute(statement)

    assert refused.value.diag.constraint_name == constraint


@pytest.mark.attack("database", "No statement takes a task out of a final state")
@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_has_no_exit(rows, state):
    verdict = "paid" if state == "SUCCEEDED" else "not_paid"
    rows.execute(
        "UPDATE order_tasks SET state = %s, verdict = %s, waiting_for = NULL, "
        "version = 2 WHERE position = 2",
        [state, verdict],
    )

    with pytest.raises(psycopg.IntegrityError) as refused:
        rows.execute(
            "UPDATE order_tasks SET state = 'MANUAL_CHECK', waiting_for = 'decision', "
            "version = 3 WHERE position = 2"
        )
    assert refused.value.diag.constraint_name == "order_tasks_final_has_no_exit"


def test_a_final_order_has_no_exit(rows):
    rows.execute(
        "UPDATE order_queues SET state = 'FAILED', version = 2, finished_at = now()"
    )

    with pytest.raises(psycopg.IntegrityError) as refused:
        rows.execute("UPDATE order_queues SET state = 'COMPLETED', version = 3")
    assert refused.value.diag.constraint_name == "order_queues_final_has_no_exit"


def test_an_order_that_has_turned_back_does_not_go_on(rows):
    rows.execute("UPDATE order_queues SET state = 'REVERSING', version = 2")

    with pytest.raises(psycopg.IntegrityError) as refused:
        rows.execute("UPDATE order_queues SET state = 'ACTIVE', version = 3")
    assert refused.value.diag.constraint_name == "order_queues_final_has_no_exit"


CHORE = "UPDATE order_tasks SET state = '{0}', version = {1}, waiting_for = {2}"
UNDONE = [CHORE.format("REVERSED", 3, "NULL"), CHORE.format("FAILED", 3, "NULL")]


@pytest.fixture
def chore(rows):
    """Give a step of another lifecycle that is done."""
    rows.execute("DELETE FROM order_tasks")
    rows.execute(OF_A_CHORE.format(n=4, columns="step, name", values="1, 'Ann'"))
    rows.execute(CHORE.format("SUCCEEDED", 2, "NULL"))
    return rows


def test_what_another_lifecycle_has_done_may_be_undone(chore):
    chore.execute(
        CHORE.format("REVERSING", 3, "'undo', wake_at = now(), watch_at = now()")
    )
    chore.execute(CHORE.format("REVERSED", 4, "NULL, wake_at = NULL, watch_at = NULL"))


@pytest.mark.parametrize("change", UNDONE)
def test_what_is_done_has_no_other_exit(chore, change):
    with pytest.raises(psycopg.IntegrityError) as refused:
        chore.execute(change)
    assert refused.value.diag.constraint_name == "order_tasks_final_has_no_exit"


def test_a_payout_that_is_done_is_not_undone(rows):
    rows.execute("DELETE FROM order_tasks WHERE position = 3")
    rows.execute(CHORE.format("SUCCEEDED", 2, "NULL, verdict = 'paid'"))

    with pytest.raises(psycopg.IntegrityError) as refused:
        rows.execute(CHORE.format("REVERSING", 3, "'decision'"))
    assert refused.value.diag.constraint_name == "order_tasks_final_has_no_exit"


def test_each_step_has_a_live_task_of_its_own(chore):
    chore.execute(OF_A_CHORE.format(n=5, columns="step, name", values="2, 'Bob'"))
    chore.execute(OF_A_CHORE.format(n=6, columns="step, name", values="3, 'Cy'"))
    chore.execute("DELETE FROM order_tasks WHERE step = 1")

    chore.execute(CHORE.format("MANUAL_CHECK", 2, "'decision'"))


def test_every_constraint_and_guard_is_tested(rows):
    names = rows.execute(
        """
        SELECT conname FROM pg_constraint WHERE contype IN ('c', 'u', 'f')
            AND conrelid::regclass::text NOT LIKE 'order_task_events_%'
            AND connamespace = 'public'::regnamespace
        UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
        """
    ).fetchall()

    releases_slot = {
        "ck_order_tasks_version",
        "order_tasks_final_has_no_exit",
        "order_queues_final_has_no_exit",
    }
    assert {name for (name,) in names} <= REFUSED.keys() | releases_slot


ENUMS: dict[str, Iterable[StrEnum]] = {
    "ck_order_queues_kind": Kind,
    "ck_order_queues_state": OrderState,
    "ck_order_queues_waiting_for": [EngineWait.LOAD, EngineWait.NOTIFICATION],
    "ck_order_tasks_state": State,
    "ck_order_tasks_waiting_for": {EngineWait.TURN, EngineWait.DECISION, *Waiting},
    "ck_order_tasks_verdict": Verdict,
    "ck_cases_kind": CaseKind,
    "ck_cases_state": CaseState,
    "ck_dead_letters_reason": Reason,
    "ck_webhook_inbox_state": WebhookEventState,
}


@pytest.mark.parametrize("constraint", ENUMS)
def test_the_words_of_the_code_are_those_of_the_database(connection, constraint):
    (words,) = connection.execute(
        """
        SELECT array_agg(word[1]) FROM pg_constraint,
            regexp_matches(pg_get_constraintdef(oid), '''([^'']+)''::text', 'g') word
        WHERE conname = %s
        """,
        [constraint],
    ).fetchone()

    assert set(words) - {"payout"} == {member.value for member in ENUMS[constraint]}


@pytest.mark.parametrize("column", ["live", "succeeded"])
def test_the_generated_columns_are_those_of_the_code(rows, column):
    # One that is PENDING is live once its turn has come.
    marked = {"live": LIVE | {State.PENDING}, "succeeded": {State.SUCCEEDED}}[column]
    expression = rows.execute(
        """
        SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
        JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE adrelid = 'order_tasks'::regclass AND attname = %s
        """,
        [column],
    ).fetchone()

    assert {state for state in State if f"'{state.value}'" in expression[0]} == marked


def test_the_database_is_as_the_tables_of_the_code_say(database_url):
    migrate.check(database_url)


def test_every_table_of_the_code_is_in_the_database(connection):
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND "
        "relnamespace = 'public'::regnamespace"
    ).fetchall()

    assert set(METADATA.tables) <= {name for (name,) in rows}


def test_migrations_go_up_and_down_and_up(empty_database_url):
    migrate.upgrade(empty_database_url)
    migrate.downgrade(empty_database_url, "base")
    with psycopg.connect(empty_database_url) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "UNION SELECT proname FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    migrate.upgrade(empty_database_url)

    assert {name for (name,) in left} <= {"alembic_version", "alembic_version_pkc"}
    assert (
        migrate.current(empty_database_url)[0] == migrate.current(empty_database_url)[1]
    )
    migrate.check(empty_database_url)


def test_the_newest_revision_is_alembics_only_head(empty_database_url):
    script = ScriptDirectory(str(migrate.MIGRATIONS))

    assert migrate.current(empty_database_url) == (None, script.get_current_head())
    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == (script.get_current_head(),) * 2


def test_migrating_twice_does_nothing(database_url):
    migrate.upgrade(database_url)

    migrate.check(database_url)


def test_a_migration_does_not_wait_long_for_a_lock(database_url):
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM order_tasks")

        with pytest.raises(Unfit, match=rf"held by pid {other.info.backend_pid} "):
            migrate.downgrade(database_url, "base")


def test_migrations_set_their_own_limits():
    versions = sorted((migrate.MIGRATIONS / "versions").glob("*.py"))
    template = migrate.MIGRATIONS / "script.py.mako"

    for path in [*versions, *([template] if template.exists() else [])]:
        text = path.read_text()
        assert text.count("SET LOCAL lock_timeout") == 2
        assert text.count("SET LOCAL statement_timeout") == 2


def test_the_service_limits_its_own_statements(database_url):
    with connect_plainly(Door(database_url)) as connection:
        for name in (
            "lock_timeout",
            "statement_timeout",
            "idle_in_transaction_session_timeout",
        ):
            show = sql.SQL("SHOW {}").format(sql.Identifier(name))
            ((value,),) = connection.execute(show).fetchall()
            assert value not in {"0", ""}


async def test_the_limits_hold_on_both_kinds_of_connection(postgres):
    async with postgres.database.connection() as connection:
        rows = await connection.exec_driver_sql("SHOW statement_timeout")
        assert rows.scalar() == "10s"
    assert (await postgres.database.run("SHOW statement_timeout", {}))[0][0] == "10s"


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def partitions(connection):
    rows = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'order_task_events'::regclass ORDER BY 1"
    ).fetchall()
    return [name.removeprefix("order_task_events_") for (name,) in rows]


def make_partitions(connection, *months):
    for year, month in months:
        first = date(year, month, 1)
        connection.execute("SELECT make_trail_partition(%s)", [first])


MADE = ((2026, 3), (2026, 4), (2026, 5))


async def test_partitions_of_this_month_and_the_next_are_made(postgres, connection):
    await postgres.operator_store.make_partitions()
    await postgres.operator_store.make_partitions()

    ((now,),) = connection.execute("SELECT now() AT TIME ZONE 'UTC'").fetchall()
    months = [now.year * 12 + now.month - 1 + ahead for ahead in range(3)]
    names = [f"{month // 12}_{month % 12 + 1:02}" for month in months]
    assert partitions(connection) == [*names, "rest"]


def test_partitions_are_made_over_the_end_of_a_year(connection):
    make_partitions(connection, (2026, 12), (2027, 1))

    ((bounds,),) = connection.execute(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class "
        "WHERE relname = 'order_task_events_2026_12'"
    ).fetchall()
    floors = [datetime(*m, 1, tzinfo=UTC) for m in ((2026, 12), (2027, 1))]
    assert [int(f.timestamp() * 1000) for f in floors] == [
        int(uuid.replace("-", "")[:12], 16) for uuid in re.findall("'(.*?)'", bounds)
    ]


async def test_lines_go_to_the_month_of_their_row(postgres, connection):
    make_partitions(connection, *MADE)
    for n, at in enumerate((NOW, NOW + timedelta(days=31), NOW - timedelta(days=31))):
        await postgres.store.submit(a_new_order("acme", order_id=f"w-{n}", now=at))

    rows = connection.execute(
        "SELECT tableoid::regclass::text, count(*) FROM order_task_events GROUP BY 1"
    ).fetchall()
    assert {name.removeprefix("order_task_events_"): n for name, n in rows} == {
        "2026_03": 2,
        "2026_04": 2,
        "rest": 2,
    }


async def test_lines_older_than_their_partition_do_not_stop_the_next_ones(
    postgres, connection
):
    await postgres.store.submit(a_new_order("acme", now=NOW))

    make_partitions(connection, *MADE)

    assert partitions(connection)[-3:] == ["2026_04", "2026_05", "rest"]


async def test_a_partition_keeps_the_guards(postgres, connection):
    make_partitions(connection, *MADE)
    await postgres.store.submit(a_new_order("acme", now=NOW))

    for table in ("order_task_events", "order_task_events_2026_03"):
        delete = sql.SQL("DELETE FROM {}").format(sql.Identifier(table))
        with pytest.raises(psycopg.IntegrityError):
            connection.execute(delete)


@pytest.mark.parametrize("table", ["order_task_events_rest"])
def test_a_partition_cannot_be_truncated(rows, table):
    with pytest.raises(psycopg.IntegrityError):
        rows.execute(f"TRUNCATE {table}")


async def test_making_partitions_leaves_the_tables_as_the_code_says(
    postgres, connection, database_url
):
    make_partitions(connection, *MADE)
    await postgres.database.run("DROP SCHEMA virtual CASCADE", {})
    await postgres.close()

    migrate.check(database_url)


GUARDED_COLUMNS = """
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger
WHERE NOT tgisinternal AND tgattr <> ''
"""


def test_a_guard_of_some_columns_looks_wherever_one_of_them_is_named(connection):
    guards = dict(connection.execute(GUARDED_COLUMNS).fetchall())

    assert len(guards) == 2
    for name, text in guards.items():
        named, _, condition = text.partition(" ON ")
        looked_for = set(re.findall(r"\w+", named.partition(" OF ")[2]))
        assert (name, looked_for) == (name, set(re.findall(r'new\."?(\w+)', condition)))


MANY = """
INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, amount,
    currency, state, version, request, content_hash, signed_by, signature, audit_hash,
    created_at, updated_at, finished_at)
SELECT md5('q' || n)::uuid, 'withdrawal', 'w-' || n, 'm-1', 'c-' || n % 500, 100, 'EUR',
    CASE WHEN n % 50 = 0 THEN 'ACTIVE' ELSE 'FAILED' END, 1, '{}', '', 'open', '',
    '', now(), now(), CASE WHEN n % 50 = 0 THEN NULL ELSE now() END
FROM generate_series(1, 20000) n;
INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, state,
    version, request, content_hash, signed_by, signature, audit_hash, created_at,
    updated_at, finished_at, exclusive_key)
SELECT md5('l' || n)::uuid, 'partner_link', 'l-' || n, 'm-1', 'c-' || n % 500,
    CASE WHEN n % 10 = 0 THEN 'CANCELLED' ELSE 'COMPLETED' END, 1, '{}', '', 'open', '',
    '', now(), now(), now() - n * interval '1 s', 'card-' || n % 4000
FROM generate_series(1, 20000) n;
INSERT INTO order_tasks (task_id, queue_id, position, provider, state, version,
    waiting_for, wake_at, watch_at, audit_hash, created_at, updated_at)
SELECT task_id, queue_id, position, 'acme',
    CASE WHEN open THEN 'PENDING' ELSE 'FAILED' END, 1,
    CASE WHEN open AND position = 0 THEN 'freeze' WHEN open THEN 'turn' END,
    due, due, '', now(), now()
FROM (SELECT md5('t' || n)::uuid AS task_id, md5('q' || (n + 1) / 2)::uuid AS queue_id,
    n % 2 AS position, ((n + 1) / 2) % 50 = 0 AS open, CASE
        WHEN ((n + 1) / 2) % 50 = 0 AND n % 2 = 0 THEN now() - n * interval '1 s'
    END AS due FROM generate_series(1, 40000) n) tasks;
INSERT INTO webhook_inbox (provider, event_id, type, reference, task_id, detail,
    body_hash, content_hash, signed_by, signature, state, received_at, wake_at)
SELECT 'acme', n::text, 'payout.succeeded', md5('t' || n)::uuid::text,
    md5('t' || n)::uuid, '{}', '', '', 'open', '',
    CASE WHEN n % 100 = 0 THEN 'waiting' ELSE 'known' END, now(),
    CASE WHEN n % 100 = 0 THEN now() END
FROM generate_series(1, 20000) n;
ANALYZE;
"""


@pytest.fixture(scope="module")
def crowded(postgres_server, database_template):
    """Give a connection to a database of many rows, which is only asked for plans."""
    with cloned(postgres_server, database_template) as name:
        url = postgres_server.url_of(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(MANY)
            yield connection


NO_QUEUE = "0195f1de-0000-7000-8000-000000000000"
HOT = {
    "LOAD": {"queue_ids": ["0195f1de-0000-7000-8000-000000000000"] * 20},
    "QUEUES_OF": {"task_ids": ["0195f1de-0000-7000-8000-000000000000"] * 20},
    "SUBMIT": dict.fromkeys(("orders", "tasks", "events", "messages"), "[]"),
    "FIND_SUBMITTED": {"merchants": ["m"], "kinds": ["withdrawal"], "orders": ["w"]},
    "STORE_WEBHOOKS": {"webhook": "[]", "subject": "s", "kept": timedelta(days=7)},
    "FIND_KEPT": {"providers": ["acme"] * 20, "event_ids": ["7"] * 20},
    "PENDING_WEBHOOKS": {
        "task_id": "0195f1de-0000-7000-8000-000000000000",
        "types": ["payout.succeeded"],
    },
    "FIND_WEBHOOK": {"provider": "acme", "event_id": "7"},
    "MARK_WAITING": {"task_id": "0195f1de-0000-7000-8000-000000000000", "version": 1},
    "OVERDUE_ORDERS": {"grace": timedelta(seconds=30), "limit": 100},
    "OVERDUE": {"grace": timedelta(seconds=30), "queue_ids": []},
    "OVERDUE_WEBHOOKS": {"grace": timedelta(seconds=30), "limit": 100, "types": []},
    "EXPIRED_WEBHOOKS": {"after": timedelta(days=7), "limit": 100, "types": []},
    "FORGET_FOREIGN": {"after": timedelta(days=7), "limit": 100},
}
BIG = ("order_tasks", "order_queues", "webhook_inbox")


def scans(connection, statement, parameters):
    """Return the tables that a statement reads from end to end."""
    # As the pool prepares them: the plan must be good whatever the parameters are.
    connection.execute("SET plan_cache_mode = force_generic_plan")
    cursor = psycopg.ClientCursor(connection)
    cursor.execute("EXPLAIN (FORMAT JSON) " + statement, parameters)
    found = []

    def look(node):
        if node["Node Type"] == "Seq Scan":
            found.append(node["Relation Name"])
        for child in node.get("Plans", []):
            look(child)

    ((plan,),) = cursor.fetchall()
    look(plan[0]["Plan"])
    return found


@pytest.mark.parametrize("parts", RECORD, ids=str)
def test_a_step_is_recorded_without_reading_a_whole_table(crowded, parts):
    read = scans(crowded, RECORD[parts], {**dict.fromkeys(RECORDED, "[]"), "sent": [1]})

    assert [table for table in read if table in BIG] == []


@pytest.mark.parametrize("name", HOT)
def test_a_hot_statement_never_reads_a_whole_table(crowded, name):
    read = scans(crowded, getattr(named, name), HOT[name])

    assert [table for table in read if table in BIG] == []


@pytest.mark.parametrize("page", [{}, {"cursor": f"{'f' * 8}{NO_QUEUE[8:]}"}], ids=str)
def test_a_customers_orders_are_found_by_an_index_of_theirs(crowded, page):
    wanted = searching(Search(customer_id="c-7", **page)).compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )

    told = "\n".join(line for (line,) in crowded.execute(f"EXPLAIN {wanted}"))

    assert "ix_order_queues_customer" in told
    assert "Seq Scan" not in told


def test_what_links_a_card_is_found_by_an_index_of_its_own(crowded):
    asked = {"key": "card-7", "limit": 64}

    told = planned(crowded, named.COMPLETED, asked)

    assert "ix_order_queues_completed" in told
    assert scans(crowded, named.COMPLETED, asked) == []


def planned(connection, statement, parameters):
    """Return the plan of a statement, whatever its parameters are."""
    connection.execute("SET plan_cache_mode = force_generic_plan")
    cursor = psycopg.ClientCursor(connection)
    cursor.execute("EXPLAIN " + statement, parameters)
    return "\n".join(line for (line,) in cursor)


def test_the_histories_of_a_page_are_read_without_a_whole_table(crowded):
    read = scans(crowded, TRAILS, {"queue_ids": [NO_QUEUE] * 50, "limit": 1000})

    assert [table for table in read if table in (*BIG, "order_task_events")] == []
