"""What somebody who can write the database may change, and what finds each of it.

Every kind is planted by its SQL on a real PostgreSQL and looked for by each finder that
it names: ``test_kinds.py`` runs this table, and ``docs/tampering.md`` is written from
it. ``ORDER`` in a statement stands for the order that it is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Finder(StrEnum):
    """Who finds it, as the page's columns are called."""

    GUARD = "refused by the database"
    STOPS = "stops before money moves"
    VERIFY = "`verify`"
    BOOKS = "`verify --core --providers`"
    ANCHOR = "`verify --anchor`"


GUARD, STOPS, VERIFY, BOOKS, ANCHOR = Finder


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A change, and of each finder what it says: an invariant and words of its text.

    Of ``GUARD`` it is the name of the guard, or ``denied`` for the service's own role.
    Of ``STOPS`` it is how the order stands that the change is made in: ``new``, ``under
    way``, or ``under way, parked`` where it names what no version knows; others say of
    which kind it is. With ``keyed`` the attacker has the key, and seals and signs.
    """

    what: str
    sql: tuple[str, ...]
    found: Mapping[Finder, str]
    of: str = "w-paid"
    keyed: bool = False


QUEUE = "UPDATE order_queues SET {} WHERE order_id = 'ORDER'"
TASK = (
    "UPDATE order_tasks t SET {} FROM order_queues q "
    "WHERE q.queue_id = t.queue_id AND q.order_id = 'ORDER' AND t.position = 0"
)
LINE = (
    "UPDATE order_task_events e SET {} FROM order_tasks t, order_queues q "
    "WHERE e.entity_id = t.task_id AND q.queue_id = t.queue_id "
    "AND q.order_id = 'ORDER' AND t.position = 0 AND e.version = 2"
)
NO_LINE = (
    "DELETE FROM order_task_events e USING order_tasks t, order_queues q "
    "WHERE e.entity_id = t.task_id AND q.queue_id = t.queue_id "
    "AND q.order_id = 'ORDER' AND t.position = 0 AND e.version = 2"
)
OF_ORDER = (
    "DELETE FROM {} WHERE queue_id = "
    "(SELECT queue_id FROM order_queues WHERE order_id = 'ORDER')"
)
ERASED = tuple(
    OF_ORDER.format(table)
    for table in ("order_task_events", "cases", "order_tasks", "order_queues")
)
INBOX = (
    "DELETE FROM webhook_inbox i USING order_tasks t, order_queues q WHERE "
    "i.task_id = t.task_id AND q.queue_id = t.queue_id AND q.order_id = 'ORDER'"
)
ERASED_WITH_WEBHOOK = (INBOX, *ERASED)
# The last line of the order itself, and its row as it was before.
BACK = (
    "UPDATE order_queues q SET version = e.version, audit_hash = e.hash, "
    "waiting_for = 'notification', wake_at = clock_timestamp() "
    "FROM order_task_events e "
    "WHERE q.order_id = 'ORDER' AND e.entity_id = q.queue_id "
    "AND e.version = q.version - 1"
)
CUT = (
    "DELETE FROM order_task_events e USING order_queues q WHERE q.order_id = 'ORDER' "
    "AND e.entity_id = q.queue_id AND e.version > q.version"
)
WEBHOOK = "UPDATE webhook_inbox SET {} WHERE event_id = 'evt-ORDER'"
CASE = (
    "UPDATE cases k SET {} FROM order_queues q "
    "WHERE q.queue_id = k.queue_id AND q.order_id = 'ORDER'"
)
NEW_CASE = (
    "INSERT INTO cases (id, kind, queue_id, order_id, task_id, provider, amount, "
    "currency, money_at_risk, detail, opened_at) SELECT gen_random_uuid(), "
    "'return_after_success', queue_id, order_id, task_id, provider, amount, currency, "
    "amount, '{}', now() FROM order_queues q JOIN order_tasks t USING (queue_id) "
    "WHERE order_id = 'ORDER' AND position = 0"
)
NEW_RESULT = (
    "INSERT INTO order_task_results SELECT queue_id, task_id, 'x', '{}' "
    "FROM order_queues JOIN order_tasks USING (queue_id) "
    "WHERE order_id = 'ORDER' AND position = 0"
)
NEW_WEBHOOK = (
    "INSERT INTO webhook_inbox (provider, event_id, type, reference, task_id, amount, "
    "currency, detail, body_hash, content_hash, signed_by, signature, received_at, "
    "wake_at) SELECT provider, 'evt-mallory', 'payout.succeeded', task_id::text, "
    "task_id, amount, currency, '{}', '', '', 'k1', '', now(), now() "
    "FROM order_queues JOIN order_tasks USING (queue_id) "
    "WHERE order_id = 'ORDER' AND position = 0"
)
NEW_KEY = (
    "INSERT INTO api_keys SELECT 'mallory', role, sha256('m'), person, merchants, "
    "expires, made_by, made_person, made_at, takes_two, agreed_by, agreed_at, "
    "revoked_by, revoked_at, revoke_reason, signed_by, signature "
    "FROM api_keys WHERE name = 'anna'"
)
ANNAS_KEY = "UPDATE api_keys SET {} WHERE name = 'anna'"
ADDED_LINE = (
    "INSERT INTO order_task_events (entity_id, version, queue_id, source, "
    "target, trigger, actor, at, detail, key_id, hash) "
    "SELECT e.entity_id, e.version + 1, e.queue_id, e.target, e.target, "
    "e.trigger, 'key:mallory', now(), '{}', e.key_id, e.hash FROM order_task_events e "
    "JOIN order_tasks t ON t.task_id = e.entity_id AND t.version = e.version "
    "JOIN order_queues q ON q.queue_id = t.queue_id "
    "WHERE q.order_id = 'ORDER' AND t.position = 0"
)
# A webhook that came in, as the service kept it, but that nobody has applied yet.
DEALT_WITH = (
    "UPDATE webhook_inbox SET state = '{}', wake_at = NULL, settled_at = now() "
    "WHERE event_id = 'evt-w-waiting'"
)
UNHEARD = "tampered: the webhook 'evt-w-waiting' of acme counts as {}, and its task"
COPIED = (
    "INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, "
    "amount, currency, state, version, request, content_hash, signed_by, signature, "
    "audit_hash, created_at, updated_at, finished_at) "
    "SELECT gen_random_uuid(), kind, 'w-mallory', merchant_id, customer_id, "
    "amount, currency, state, version, request, content_hash, signed_by, signature, "
    "audit_hash, created_at, updated_at, finished_at "
    "FROM order_queues WHERE order_id = 'ORDER'"
)
# A link of another card, copied as if it were one of the card of this order.
RESULT = (
    "INSERT INTO order_task_results SELECT queue_id, task_id, 'x', '{}' "
    "FROM order_queues JOIN order_tasks USING (queue_id) "
    "WHERE order_id = 'ORDER' AND position = 0"
)
NEW_WEBHOOK = (
    "INSERT INTO webhook_inbox (provider, event_id, type, reference, task_id, amount, "
    "currency, detail, body_hash, content_hash, signed_by, signature, received_at, "
    "wake_at) SELECT provider, 'evt-mallory', 'payout.succeeded', task_id::text, "
    "task_id, amount, currency, '{}', '', '', 'k1', '', now(), now() "
    "FROM order_queues JOIN order_tasks USING (queue_id) "
    "WHERE order_id = 'ORDER' AND position = 0"
)
NEW_KEY = (
    "INSERT INTO api_keys SELECT 'mallory', role, sha256('m'), person, merchants, "
    "expires, made_by, made_person, made_at, takes_two, agreed_by, agreed_at, "
    "revoked_by, revoked_at, revoke_reason, signed_by, signature "
    "FROM api_keys WHERE name = 'anna'"
)
ANNAS_KEY = "UPDATE api_keys SET {} WHERE name = 'anna'"
ADDED_LINE = (
    "INSERT INTO order_task_events (entity_id, version, queue_id, source, "
    "target, trigger, actor, at, detail, key_id, hash) "
    "SELECT e.entity_id, e.version + 1, e.queue_id, e.target, e.target, "
    "e.trigger, 'key:mallory', now(), '{}', e.key_id, e.hash FROM order_task_events e "
    "JOIN order_tasks t ON t.task_id = e.entity_id AND t.version = e.version "
    "JOIN order_queues q ON q.queue_id = t.queue_id "
    "WHERE q.order_id = 'ORDER' AND t.position = 0"
)
# A webhook that came in, as the service kept it, but that nobody has applied yet.
DEALT_WITH = (
    "UPDATE webhook_inbox SET state = '{}', wake_at = NULL, settled_at = now() "
    "WHERE event_id = 'evt-w-waiting'"
)
UNHEARD = "tampered: the webhook 'evt-w-waiting' of acme counts as {}, and its task"
COPIED = (
    "INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, "
    "amount, currency, state, version, request, content_hash, signed_by, signature, "
    "audit_hash, created_at, updated_at, finished_at) "
    "SELECT gen_random_uuid(), kind, 'w-mallory', merchant_id, customer_id, "
    "amount, currency, state, version, request, content_hash, signed_by, signature, "
    "audit_hash, created_at, updated_at, finished_at "
    "FROM order_queues WHERE order_id = 'ORDER'"
)
# A link of another card, copied as if it were one of the card of this order.
FORGED_LINK = (
    (
        "INSERT INTO order_queues (queue_id, kind, order_id, merchant_id, customer_id, "
        "state, version, request, content_hash, signed_by, signature, audit_hash, "
        "created_at, updated_at, finished_at, exclusive_key) "
        "SELECT gen_random_uuid(), l.kind, 'l-mallory', l.merchant_id, l.customer_id, "
        "l.state, l.version, l.request, l.content_hash, l.signed_by, l.signature, "
        "l.audit_hash, l.created_at, l.updated_at, l.finished_at, q.exclusive_key "
        "FROM order_queues l, order_queues q "
        "WHERE l.order_id = 'l-linked' AND q.order_id = 'ORDER'"
    ),
    (
        "INSERT INTO order_tasks (task_id, queue_id, position, provider, lifecycle, "
        "name, state, version, taken, audit_hash, created_at, updated_at) "
        "SELECT gen_random_uuid(), m.queue_id, t.position, t.provider, t.lifecycle, "
        "t.name, t.state, t.version, t.taken, t.audit_hash, t.created_at, t.updated_at "
        "FROM order_tasks t, order_queues q, order_queues m WHERE "
        "t.queue_id = q.queue_id AND q.order_id = 'l-linked' "
        "AND m.order_id = 'l-mallory'"
    ),
)
RESULT = (
    "UPDATE order_task_results r SET {} FROM order_tasks t, order_queues q "
    "WHERE t.task_id = r.task_id AND q.queue_id = t.queue_id AND "
    "q.order_id = 'ORDER' AND t.position = 0"
)
NO_RESULT = (
    "DELETE FROM order_task_results r USING order_tasks t, order_queues q "
    "WHERE t.task_id = r.task_id AND q.queue_id = t.queue_id AND "
    "q.order_id = 'ORDER' AND t.position = 0"
)
CAME_TO = "tampered: what its step came to is not what its trail says"
NOT_REQUESTED = "tampered: its {} is not the one that was requested"
NOT_AS_LEFT = "tampered: its row is not as its last step has left it"
PUT_OFF = "tampered: what is due of it was put off"

REQUESTS = (
    Kind(
        what="an order's destination",
        sql=(
            QUEUE.format(
                "request = jsonb_set(request, '{destination,token}', '\"tok_m\"')"
            ),
        ),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("destination"),
        },
    ),
    Kind(
        what="an order's amount",
        sql=(QUEUE.format("amount = 999999"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("amount"),
        },
    ),
    Kind(
        what="an order's currency",
        sql=(QUEUE.format("currency = 'USD'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("currency"),
        },
    ),
    Kind(
        what="an order's customer",
        sql=(QUEUE.format("customer_id = 'c-mallory'"),),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("customer"),
        },
    ),
    Kind(
        what="the key of which one order runs at a time",
        sql=(QUEUE.format("exclusive_key = 'k'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("exclusive_key"),
        },
    ),
    Kind(
        what="what was loaded for an order",
        sql=(QUEUE.format('loaded = \'{"fraud": "none"}\''),),
        found={
            GUARD: "order_queues_loaded_at_its_stage",
            STOPS: "new",
            VERIFY: "tampered: what was loaded for it is not what its trail says",
        },
    ),
    Kind(
        what="what was asked for in the fields of an order's own kind",
        sql=(
            QUEUE.format(
                "request = jsonb_set(request, '{details}', "
                '\'{"delivery": {"to": "mallory"}}\')'
            ),
        ),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("details"),
        },
    ),
    Kind(
        what="a result for a task that comes to none",
        sql=(NEW_RESULT,),
        found={
            VERIFY: "orphan: what it came to is kept, and it can have come to nothing",
        },
    ),
    Kind(
        what="what was loaded for an order, by who has the key",
        sql=(QUEUE.format('loaded = \'{"fraud": "none"}\''),),
        found={
            VERIFY: "tampered: what was loaded for it is not what its trail says",
        },
        keyed=True,
    ),
    Kind(
        what="an order's merchant",
        sql=(QUEUE.format("merchant_id = 'm-mallory'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("merchant_id"),
        },
    ),
    Kind(
        what="the id that its caller knows an order by",
        sql=(QUEUE.format("order_id = 'w-7'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            VERIFY: NOT_REQUESTED.format("order_id"),
        },
    ),
    Kind(
        what="what a repeat of a request is told by",
        sql=(QUEUE.format("content_hash = '\\x00'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("content"),
        },
    ),
    Kind(
        what="an order's signature",
        sql=(QUEUE.format("signature = '\\x00'"),),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("signature"),
        },
    ),
    Kind(
        what="the terminal that an attempt goes through",
        sql=(TASK.format("terminal_id = 't-mallory'"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("cascade"),
        },
    ),
    Kind(
        what="the provider that an attempt goes to",
        sql=(TASK.format("provider = 'nova'"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            STOPS: "new",
            VERIFY: NOT_REQUESTED.format("cascade"),
        },
    ),
    Kind(
        what="the lifecycle that an attempt goes by",
        sql=(TASK.format("lifecycle = 'nap'"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            STOPS: "under way, parked",
            VERIFY: NOT_REQUESTED.format("cascade"),
        },
    ),
    Kind(
        what="the step that an attempt is of",
        sql=(TASK.format("step = 1"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            STOPS: "under way, parked",
            VERIFY: NOT_REQUESTED.format("cascade"),
        },
    ),
    Kind(
        what="the name of what an attempt is at",
        sql=(TASK.format("name = 'mallory'"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            STOPS: "under way",
            VERIFY: NOT_REQUESTED.format("cascade"),
        },
    ),
    Kind(
        what="the version of the flow that an order goes by",
        sql=(QUEUE.format("flow_version = 2"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "under way, parked",
            VERIFY: NOT_REQUESTED.format("flow_version"),
        },
    ),
    Kind(
        what="which orders keep each other out",
        sql=(QUEUE.format("exclusive_key = 'mallory'"),),
        found={
            GUARD: "order_queues_identity_is_fixed",
            STOPS: "under way",
            VERIFY: NOT_REQUESTED.format("exclusive_key"),
        },
    ),
    Kind(
        what="who the customer was, as if by an erasure",
        sql=(
            QUEUE.format(
                "customer_id = '', request = "
                '\'{"destination": {}, "metadata": {}, "erased": true}\''
            ),
        ),
        found={
            GUARD: "order_queues_person_is_fixed",
            VERIFY: "tampered: its row is erased, and its trail does not say so",
        },
    ),
)

ROWS = (
    Kind(
        what="an order's end: FAILED is COMPLETED",
        sql=(QUEUE.format("state = 'COMPLETED'"),),
        found={
            GUARD: "order_queues_final_has_no_exit",
            VERIFY: "succession: the row says COMPLETED, its trail FAILED",
        },
        of="w-declined",
    ),
    Kind(
        what="an order's end: a message for the customer",
        sql=(QUEUE.format("customer_message = 'call +7'"),),
        found={VERIFY: "tampered: its row is not as its last step has left it"},
    ),
    Kind(
        what="when an order began or ended",
        sql=(QUEUE.format("finished_at = finished_at - '9d'::interval"),),
        found={
            GUARD: "order_queues_version_grows_by_one",
            VERIFY: "tampered: the time of its beginning or of its end is none",
        },
    ),
    Kind(
        what="an order turned back that nobody has given up",
        sql=(QUEUE.format("state = 'REVERSING'"),),
        found={
            GUARD: "order_queues_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "succession: the row says REVERSING, its trail ACTIVE",
        },
        of="w-silent",
    ),
    Kind(
        what="an attempt that is undone, and nobody has turned back",
        sql=(TASK.format("state = 'REVERSING', waiting_for = 'decision'"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "succession: the row says REVERSING, its trail MANUAL_CHECK",
        },
        of="w-silent",
    ),
    Kind(
        what="a wish to cancel an order",
        sql=(QUEUE.format("cancel_requested = true"),),
        found={
            GUARD: "order_queues_version_grows_by_one",
            STOPS: "under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="w-silent",
    ),
    Kind(
        what="an attempt is paid that nobody has paid",
        sql=(
            TASK.format(
                "state = 'EXECUTING', waiting_for = 'commit', verdict = 'paid', "
                "taken = true, wake_at = now(), watch_at = now()"
            ),
        ),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "succession: the row says EXECUTING, its trail MANUAL_CHECK",
        },
        of="w-silent",
    ),
    Kind(
        what="an attempt was not paid, so that the next provider pays too",
        sql=(
            TASK.format(
                "state = 'NEGATIVE_EVAL', waiting_for = 'rollback', wake_at = now(), "
                "watch_at = now(), verdict = 'not_paid'"
            ),
        ),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "succession: the row says NEGATIVE_EVAL, its trail MANUAL_CHECK",
        },
        of="w-silent",
    ),
    Kind(
        what="that a create was sent is forgotten, so that it is sent again",
        sql=(TASK.format("sent_first_at = NULL, sent_last_at = NULL"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="w-silent",
    ),
    Kind(
        what="a planted first vote",
        sql=(TASK.format("proposed_by = 'key:eve', proposed_decision = 'positive'"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "tampered: its first vote (key:eve) is not that of its trail",
        },
        of="w-silent",
    ),
    Kind(
        what="an attempt's reference: another payout stands for it",
        sql=(TASK.format("provider_reference = 'po_of_another'"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: "tampered: its provider's reference is not that of its trail",
        },
        of="w-silent",
    ),
    Kind(
        what="a deadline or an SLA put off",
        sql=(TASK.format("deadline_at = '9999-01-01', sla_at = '9999-01-01'"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="w-silent",
    ),
    Kind(
        what="tries that are used up",
        sql=(TASK.format("tries = 7"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="w-silent",
    ),
    Kind(
        what="a payout that came back and did not",
        sql=(TASK.format("returned = true"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            VERIFY: NOT_AS_LEFT,
        },
    ),
    Kind(
        what="a payout put to sleep: nothing is due of it for years",
        sql=(TASK.format("wake_at = '9999-01-01'"),),
        found={VERIFY: PUT_OFF},
        of="w-new",
    ),
    Kind(
        what="a payout put to sleep for good",
        sql=(TASK.format("wake_at = NULL"),),
        found={GUARD: "ck_order_tasks_waits"},
        of="w-new",
    ),
    Kind(
        what="core's notice put off for years",
        sql=(QUEUE.format("waiting_for = 'notification', wake_at = '9999-01-01'"),),
        found={GUARD: "order_queues_version_grows_by_one", VERIFY: PUT_OFF},
    ),
    Kind(
        what="an attempt taken out of an order",
        sql=(
            (
                "DELETE FROM order_tasks t USING order_queues q WHERE "
                "q.queue_id = t.queue_id AND q.order_id = 'ORDER' AND position = 2"
            ),
        ),
        found={GUARD: "denied", VERIFY: "orphan: 2 audit lines, and no row"},
    ),
    Kind(
        what="attempts in another turn",
        sql=(TASK.format("position = 9"),),
        found={
            GUARD: "order_tasks_identity_is_fixed",
            VERIFY: "positions: its tasks have the positions 1, 2, 9",
        },
    ),
    Kind(
        what="an invented order, a copy of one that was paid",
        sql=(COPIED,),
        found={VERIFY: "versions: it has no audit line"},
    ),
)

TRAILS = (
    Kind(
        what="who did it, in a line of a trail",
        sql=(LINE.format("actor = 'key:mallory'"),),
        found={
            GUARD: "order_task_events_append_only",
            VERIFY: "chain: version 2: its hash is not that of what it says",
        },
    ),
    Kind(
        what="why it was done, in a line of a trail",
        sql=(LINE.format("""detail = '{"reason": "x"}'"""),),
        found={GUARD: "denied", VERIFY: "chain: version 2: its hash is not"},
    ),
    Kind(
        what="when it was done, in a line of a trail",
        sql=(LINE.format("at = e.at - '1d'::interval"),),
        found={GUARD: "denied", VERIFY: "chain: version 2: its hash is not"},
    ),
    Kind(
        what="a line taken out of a trail",
        sql=(NO_LINE,),
        found={
            GUARD: "order_task_events_append_only",
            VERIFY: "versions: version 3 follows version 1",
        },
    ),
    Kind(
        what="a line added to a trail",
        sql=(ADDED_LINE,),
        found={VERIFY: "chain: version"},
    ),
    Kind(
        what="the whole trail of an order",
        sql=(OF_ORDER.format("order_task_events"),),
        found={GUARD: "denied", VERIFY: "versions: it has no audit line"},
    ),
    Kind(
        what="a tail cut off, and the row put back",
        sql=(BACK, CUT),
        found={GUARD: "order_queues_version_grows_by_one", VERIFY: NOT_AS_LEFT},
    ),
    Kind(
        what="a tail cut off by who has the key",
        sql=(BACK, CUT),
        found={ANCHOR: "anchor: its trail ends at version"},
        of="w-declined",
        keyed=True,
    ),
    Kind(
        what="an order erased whole",
        sql=ERASED_WITH_WEBHOOK,
        found={
            GUARD: "webhook_inbox_stays",
            BOOKS: "orphan: core or",
            ANCHOR: "anchor: it was erased",
        },
    ),
    Kind(
        what="an order erased whole, and its anchored heads",
        sql=(OF_ORDER.format("anchor_heads"), *ERASED_WITH_WEBHOOK),
        found={GUARD: "denied", ANCHOR: "anchor: anchor 1 in the database has "},
    ),
    Kind(
        what="all anchors",
        sql=("DELETE FROM anchors", "DELETE FROM anchor_heads"),
        found={
            GUARD: "anchors_append_only",
            ANCHOR: "anchor: not in the database",
        },
    ),
    Kind(
        what="an anchor",
        sql=("UPDATE anchors SET heads = heads + 1 WHERE n = 1",),
        found={
            GUARD: "anchors_append_only",
            ANCHOR: "anchor: anchor 1 in the database is forged: see its mac",
        },
    ),
)

HEARD = (
    Kind(
        what="a planted webhook: it was paid",
        sql=(NEW_WEBHOOK,),
        found={
            STOPS: "under way",
            VERIFY: "tampered: the webhook 'evt-mallory' of acme is none",
        },
        of="w-silent",
    ),
    Kind(
        what="a webhook says another amount",
        sql=(WEBHOOK.format("amount = 1"),),
        found={
            GUARD: "webhook_inbox_content_is_fixed",
            VERIFY: "tampered: the webhook 'evt-w-paid' of acme is none",
        },
    ),
    Kind(
        what="a webhook that waits put off for years",
        sql=(WEBHOOK.format("state = 'waiting', wake_at = '9999-01-01'"),),
        found={
            GUARD: "webhook_inbox_settled_stays",
            VERIFY: "tampered: the webhook 'evt-w-paid' of acme was put off",
        },
    ),
    *(
        Kind(
            what=f"a return that waits counts as {state} before anybody has heard it",
            sql=(DEALT_WITH.format(state),),
            found={VERIFY: UNHEARD.format(state)},
            of="w-waiting",
        )
        for state in ("applied", "known", "ignored", "dead")
    ),
    Kind(
        what="a return that waits counts as the second word of an event",
        sql=(
            DEALT_WITH.format("ignored").replace(
                " WHERE", ", seen_as = event_id, event_id = 'sha256:00' WHERE"
            ),
        ),
        found={
            GUARD: "webhook_inbox_content_is_fixed",
            VERIFY: "tampered: the webhook 'sha256:00' of acme counts as ignored",
        },
        of="w-waiting",
    ),
    Kind(
        what="a return that waits is led away from its task",
        sql=(WEBHOOK.format("task_id = NULL"),),
        found={
            GUARD: "webhook_inbox_content_is_fixed",
            VERIFY: "tampered: the webhook 'evt-w-waiting' of acme was led astray",
        },
        of="w-waiting",
    ),
    Kind(
        what="a return that waits, taken away",
        sql=(INBOX,),
        found={GUARD: "webhook_inbox_stays"},
        of="w-waiting",
    ),
    Kind(
        what="a task made deaf: what its provider says counts as too old",
        sql=(TASK.format("webhook_sequence = 999999"),),
        found={VERIFY: "tampered: it hears nothing of acme up to 999999"},
        of="w-silent",
    ),
    Kind(
        what="a numbered webhook that was heard, taken away",
        sql=(INBOX,),
        found={
            GUARD: "webhook_inbox_stays",
            VERIFY: "tampered: it hears nothing of acme up to 7",
        },
    ),
    Kind(
        what="a webhook is about another payout",
        sql=(WEBHOOK.format("reference = 'po_of_another'"),),
        found={
            GUARD: "webhook_inbox_content_is_fixed",
            VERIFY: "tampered: the webhook 'evt-w-paid' of acme is none",
        },
    ),
)

CASES = (
    Kind(
        what="a planted case: a payout came back",
        sql=(NEW_CASE,),
        found={VERIFY: "tampered: opened by no line of its trail"},
        of="w-declined",
    ),
    Kind(
        what="a case taken away",
        sql=(OF_ORDER.format("cases"),),
        found={
            GUARD: "cases_stay",
            VERIFY: "tampered: its trail opens a case, and there is none",
        },
    ),
    Kind(
        what="how much a case may cost",
        sql=(CASE.format("money_at_risk = 1"),),
        found={
            GUARD: "cases_identity_is_fixed",
            VERIFY: "tampered: the money at risk is not what its case says",
        },
    ),
    Kind(
        what="how much a case is about",
        sql=(CASE.format("amount = 1"),),
        found={
            GUARD: "cases_identity_is_fixed",
            VERIFY: "tampered: its case is not of the order's amount",
        },
    ),
    Kind(
        what="when a case was opened, so that it came in time",
        sql=(CASE.format("opened_at = opened_at - '9d'::interval"),),
        found={
            GUARD: "cases_identity_is_fixed",
            VERIFY: "tampered: opened by no line of its trail",
        },
    ),
    Kind(
        what="a case closed in somebody's name",
        sql=(
            CASE.format(
                "state = 'closed', closed_at = now(), closed_by = 'key:anna', "
                "reason = 'x'"
            ),
        ),
        found={VERIFY: "decision: says closed by key:anna"},
    ),
    Kind(
        what="a planted vote to close a case",
        sql=(CASE.format("close_voter = 'key:eve'"),),
        found={VERIFY: "decision: vote to close case"},
    ),
)

PEOPLE = (
    Kind(
        what="a planted key",
        sql=(NEW_KEY,),
        found={VERIFY: "decision: key mallory: says live by key:anna"},
    ),
    Kind(
        what="the hash of a key, for one of one's own",
        sql=("UPDATE api_keys SET sha256 = sha256('m') WHERE name = 'anna'",),
        found={
            GUARD: "api_keys_identity_is_fixed",
            VERIFY: "decision: key anna: says live",
        },
    ),
    *(
        Kind(
            what=what,
            sql=(ANNAS_KEY.format(changed),),
            found={
                GUARD: "api_keys_identity_is_fixed",
                VERIFY: "decision: key anna: its row is not as it was signed",
            },
        )
        for what, changed in (
            ("what a key may do", "role = 'upstream'"),
            ("whose key it is", "person = 'eve'"),
            ("for whose orders a key is", "merchants = '{m-mallory}'"),
            ("until when a key lasts", "expires = '9999-01-01'"),
        )
    ),
    Kind(
        what="a revoked key lives again",
        sql=(
            (
                "UPDATE api_keys SET revoked_by = NULL, revoked_at = NULL, "
                "revoke_reason = NULL WHERE name = 'dora'"
            ),
        ),
        found={
            GUARD: "api_keys_identity_is_fixed",
            VERIFY: "decision: key dora: says live",
        },
    ),
    Kind(
        what="a key taken away",
        sql=("DELETE FROM api_keys WHERE name = 'anna'",),
        found={
            GUARD: "api_keys_stay",
            VERIFY: "decision: key anna: its last audit line",
        },
    ),
    Kind(
        what="an amount from which two decide",
        sql=("UPDATE four_eyes SET amount = 900000",),
        found={VERIFY: "decision: four_eyes EUR: says set"},
    ),
    Kind(
        what="a planted proposal of an amount",
        sql=(
            (
                "UPDATE four_eyes SET proposed_amount = 900000, proposed_by = "
                "'key:eve', proposed_person = 'eve', proposed_at = now()"
            ),
        ),
        found={VERIFY: "decision: four_eyes EUR: its row is not as it was signed"},
    ),
    Kind(
        what="an amount from which two decide, taken away",
        sql=("DELETE FROM four_eyes",),
        found={GUARD: "four_eyes_stay", VERIFY: "decision: four_eyes EUR: its last"},
    ),
    Kind(
        what="a pause lifted",
        sql=("UPDATE provider_controls SET state = 'ready'",),
        found={
            GUARD: "provider_controls_moves_on",
            VERIFY: "decision: provider nova: says ready",
        },
    ),
    Kind(
        what="a pause taken away",
        sql=("DELETE FROM provider_controls",),
        found={
            GUARD: "provider_controls_stay",
            VERIFY: "decision: provider nova: its last audit line says paused",
        },
    ),
    Kind(
        what="a dead letter that was discarded is open again",
        sql=(
            (
                "UPDATE dead_letters SET discarded_at = NULL, discarded_by = NULL, "
                "discard_reason = NULL"
            ),
        ),
        found={
            GUARD: "dead_letters_dealt_with_stays",
            VERIFY: "decision: its last audit line says discarded",
        },
    ),
    Kind(
        what="a dead letter that was dealt with taken away",
        sql=("DELETE FROM dead_letters",),
        found={
            GUARD: "dead_letters_stay",
            VERIFY: "decision: its last audit line says discarded",
        },
    ),
    Kind(
        what="what a dead letter says, which somebody may replay",
        sql=("UPDATE dead_letters SET body = 'x'",),
        found={GUARD: "dead_letters_content_is_fixed"},
    ),
)

LINKS = (
    Kind(
        what="the card that is to be linked",
        sql=(
            QUEUE.format(
                "request = jsonb_set(request, '{details,card,token}', '\"tok_m\"')"
            ),
        ),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new link",
            VERIFY: NOT_REQUESTED.format("details"),
        },
        of="l-linked",
    ),
    Kind(
        what="the link that a removal is of",
        sql=(
            QUEUE.format(
                "request = jsonb_set(request, '{details,link,queue_id}', "
                "to_jsonb(gen_random_uuid()))"
            ),
        ),
        found={
            GUARD: "order_queues_person_is_fixed",
            STOPS: "new removal",
            VERIFY: NOT_REQUESTED.format("details"),
        },
        of="u-gone",
    ),
    Kind(
        what="a link that its partner refused stands as linked",
        sql=(TASK.format("state = 'SUCCEEDED', code = NULL"),),
        found={
            GUARD: "order_tasks_final_has_no_exit",
            STOPS: "the card's next link",
            VERIFY: "succession: the row says SUCCEEDED, its trail FAILED",
        },
        of="l-refused",
    ),
    Kind(
        what="an invented link, a copy of another card's",
        sql=FORGED_LINK,
        found={
            STOPS: "the card's next link",
            VERIFY: "versions: it has no audit line",
        },
        of="l-refused",
    ),
    Kind(
        what="which link a removal has removed",
        sql=(TASK.format("provider_reference = gen_random_uuid()::text"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            VERIFY: "tampered: its provider's reference is not that of its trail",
        },
        of="u-gone",
    ),
    Kind(
        what="a membership is to be confirmed that its partner has not confirmed",
        sql=(TASK.format("waiting_for = 'confirm'"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "link under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="l-waits",
    ),
    Kind(
        what="a membership that nobody would revoke: it counts as never granted",
        sql=(TASK.format("taken = false"),),
        found={
            GUARD: "order_tasks_version_grows_by_one",
            STOPS: "link under way",
            VERIFY: NOT_AS_LEFT,
        },
        of="l-waits",
    ),
    Kind(
        what="a link made deaf: what its partner says counts as too old",
        sql=(TASK.format("webhook_sequence = 999999"),),
        found={
            VERIFY: (
                "tampered: it counts 999999 checks that northbank has answered, and "
                "its trail 1"
            )
        },
        of="l-waits",
    ),
    Kind(
        what="a link that would hear again what its partner said before",
        sql=(TASK.format("webhook_sequence = NULL"),),
        found={VERIFY: "tampered: it counts 0 checks that northbank has answered"},
        of="l-waits",
    ),
)

RESULTS = (
    Kind(
        what="what a step came to",
        sql=(RESULT.format('result = \'{"decision": "allow"}\''),),
        found={
            GUARD: "order_task_results_written_once",
            STOPS: "checkout under way",
            VERIFY: CAME_TO,
        },
        of="c-1001",
    ),
    Kind(
        what="the hash of what a step came to",
        sql=(RESULT.format("result_hash = '\\x00'"),),
        found={
            GUARD: "order_task_results_written_once",
            STOPS: "checkout under way",
            VERIFY: CAME_TO,
        },
        of="c-1001",
    ),
    Kind(
        what="what a step came to, taken away",
        sql=(NO_RESULT,),
        found={
            GUARD: "order_task_results_stay",
            STOPS: "checkout under way",
            VERIFY: CAME_TO,
        },
        of="c-1001",
    ),
)

OTHERS = (
    Kind(
        what="that an attempt was paid",
        sql=(
            TASK.format("state = 'SKIPPED', verdict = NULL").replace(
                "AND t.position = 0", "AND t.position = 0 AND t.state = 'SUCCEEDED'"
            ),
        ),
        found={
            GUARD: "order_tasks_final_has_no_exit",
            VERIFY: "succession: the row says SKIPPED, its trail SUCCEEDED",
            BOOKS: "core: it is SKIPPED and core has committed",
        },
    ),
    Kind(
        what="the guards switched off by the service",
        sql=("ALTER TABLE order_tasks DISABLE TRIGGER ALL",),
        found={GUARD: "denied"},
    ),
)

GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "What was requested": REQUESTS,
    "Where an order stands": ROWS,
    "The trail": TRAILS,
    "What providers have said": HEARD,
    "Cases": CASES,
    "What people have decided": PEOPLE,
    "Partner links": LINKS,
    "What the steps of a checkout came to": RESULTS,
    "All at once": OTHERS,
}
KINDS = tuple(kind for group in GROUPS.values() for kind in group)
