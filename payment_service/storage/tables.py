"""The tables as data, for queries and to compare with the migrated database.

The constraints that hold the invariants live in the migrations, where they run.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from fsm.domain.cases import ONE_OPEN

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


def _at(name: str, *, null: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _id(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, UUID(as_uuid=False), nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default="false")


ORDER_QUEUES: Final = Table(
    "order_queues",
    METADATA,
    _id("queue_id"),
    _text("kind"),
    Column("flow_version", SmallInteger, nullable=False, server_default="1"),
    _text("exclusive_key", null=True),
    _text("order_id"),
    _text("merchant_id"),
    _text("customer_id"),
    Column("amount", BigInteger),
    _text("currency", null=True),
    _text("state"),
    Column("version", Integer, nullable=False),
    _flag("cancel_requested"),
    _text("waiting_for", null=True),
    _at("wake_at"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("redrives", SmallInteger, nullable=False, server_default="0"),
    _text("customer_message", null=True),
    Column("request", JSONB, nullable=False),
    Column("loaded", JSONB),
    Column("content_hash", LargeBinary, nullable=False),
    _text("trace_parent", null=True),
    _text("signed_by"),
    Column("signature", LargeBinary, nullable=False),
    Column("audit_hash", LargeBinary, nullable=False),
    _at("created_at", null=False),
    _at("updated_at", null=False),
    _at("finished_at"),
    PrimaryKeyConstraint("queue_id"),
    UniqueConstraint("order_id", "merchant_id", "kind", name="uq_order_queues_order"),
)
Index("ix_order_queues_customer", ORDER_QUEUES.c.customer_id, ORDER_QUEUES.c.queue_id)
_KEYED: Final = ORDER_QUEUES.c.exclusive_key.is_not(None)
Index(
    "uq_order_queues_exclusive",
    ORDER_QUEUES.c.exclusive_key,
    unique=True,
    postgresql_where=and_(_KEYED, ORDER_QUEUES.c.finished_at.is_(None)),
)
Index(
    "ix_order_queues_completed",
    ORDER_QUEUES.c.exclusive_key,
    ORDER_QUEUES.c.finished_at,
    postgresql_where=and_(_KEYED, ORDER_QUEUES.c.state == "COMPLETED"),
)
Index(
    "ix_order_queues_wake_at",
    ORDER_QUEUES.c.wake_at,
    postgresql_where=ORDER_QUEUES.c.wake_at.is_not(None),
)

ORDER_TASKS: Final = Table(
    "order_tasks",
    METADATA,
    _id("task_id"),
    Column(
        "queue_id",
        UUID(as_uuid=False),
        ForeignKey("order_queues.queue_id"),
        nullable=False,
    ),
    Column("position", SmallInteger, nullable=False),
    Column("lifecycle", Text, nullable=False, server_default="payout"),
    Column("step", SmallInteger, nullable=False, server_default="0"),
    _text("name", null=True),
    _text("provider", null=True),
    _text("terminal_id", null=True),
    _text("sla", null=True),
    _text("state"),
    Column("version", Integer, nullable=False),
    _text("waiting_for", null=True),
    _at("wake_at"),
    _at("watch_at"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("redrives", SmallInteger, nullable=False, server_default="0"),
    _text("verdict", null=True),
    _flag("taken"),
    _flag("cancel_requested"),
    _flag("webhook_pending"),
    _at("sent_first_at"),
    _at("sent_last_at"),
    _at("sla_at"),
    _at("deadline_at"),
    _text("provider_reference", null=True),
    Column("webhook_sequence", BigInteger),
    _flag("returned"),
    _text("code", null=True),
    _text("proposed_by", null=True),
    _text("proposed_decision", null=True),
    Column("audit_hash", LargeBinary, nullable=False),
    _at("created_at", null=False),
    _at("updated_at", null=False),
    Column("live", Boolean, Computed("", persisted=True), nullable=False),
    Column("succeeded", Boolean, Computed("", persisted=True), nullable=False),
    PrimaryKeyConstraint("task_id"),
    UniqueConstraint("queue_id", "position", name="uq_order_tasks_position"),
)
Index(
    "uq_order_tasks_one_live",
    ORDER_TASKS.c.queue_id,
    ORDER_TASKS.c.step,
    unique=True,
    postgresql_where=ORDER_TASKS.c.live,
)
Index(
    "uq_order_tasks_one_succeeded",
    ORDER_TASKS.c.queue_id,
    ORDER_TASKS.c.step,
    unique=True,
    postgresql_where=ORDER_TASKS.c.succeeded,
)
Index(
    "ix_order_tasks_watch_at",
    ORDER_TASKS.c.watch_at,
    postgresql_where=ORDER_TASKS.c.watch_at.is_not(None),
)

ORDER_TASK_RESULTS: Final = Table(
    "order_task_results",
    METADATA,
    _id("queue_id"),
    Column(
        "task_id",
        UUID(as_uuid=False),
        ForeignKey("order_tasks.task_id"),
        nullable=False,
    ),
    Column("result_hash", LargeBinary, nullable=False),
    Column("result", JSONB),
    PrimaryKeyConstraint("queue_id", "task_id"),
)

ORDER_TASK_EVENTS: Final = Table(
    "order_task_events",
    METADATA,
    _id("entity_id"),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    _id("queue_id"),
    _text("source", null=True),
    _text("target"),
    _text("trigger"),
    _text("actor"),
    _at("at", null=False),
    _text("trace_id", null=True),
    Column("detail", JSONB, nullable=False),
    _text("key_id"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("entity_id", "version"),
)

Index(
    "ix_order_task_events_seq",
    ORDER_TASK_EVENTS.c.seq,
    postgresql_using="brin",
    postgresql_with={"pages_per_range": 64, "autosummarize": "on"},
)

ANCHORS: Final = Table(
    "anchors",
    METADATA,
    Column("n", BigInteger, nullable=False, autoincrement=False),
    _at("at", null=False),
    _at("complete_to", null=False),
    Column("heads", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    _text("key_id"),
    Column("mac", LargeBinary, nullable=False),
    Column("seq_to", BigInteger, nullable=False),
    Column("xid_from", BigInteger, nullable=False),
    Column("xid_to", BigInteger, nullable=False),
    PrimaryKeyConstraint("n"),
)

ANCHOR_HEADS: Final = Table(
    "anchor_heads",
    METADATA,
    _id("entity_id"),
    Column("version", Integer, nullable=False),
    Column("n", BigInteger, nullable=False),
    _id("queue_id"),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("entity_id", "version"),
)
Index("ix_anchor_heads_n", ANCHOR_HEADS.c.n, ANCHOR_HEADS.c.entity_id)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    Column("messages", Integer, nullable=False, server_default="1"),
    _text("message_id", null=True),
    _text("subject", null=True),
    Column("body", LargeBinary),
    Column("headers", JSONB),
    _at("at"),
    _text("schedule", null=True),
    _id("queue_id", null=True),
    _text("bundle", null=True),
    _at("created_at", null=False),
    PrimaryKeyConstraint("seq"),
)

WEBHOOK_INBOX: Final = Table(
    "webhook_inbox",
    METADATA,
    Column("inbox_id", BigInteger, Identity(always=True), nullable=False),
    _text("provider"),
    _text("event_id"),
    _text("type"),
    _text("reference"),
    _id("task_id", null=True),
    _text("provider_reference", null=True),
    Column("amount", BigInteger),
    _text("currency", null=True),
    _text("code", null=True),
    _text("message", null=True),
    Column("detail", JSONB, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("sequence", BigInteger),
    _text("seen_as", null=True),
    _text("signed_by"),
    Column("signature", LargeBinary, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    _at("received_at", null=False),
    _at("wake_at"),
    _at("settled_at"),
    PrimaryKeyConstraint("inbox_id"),
    UniqueConstraint("provider", "event_id", name="uq_webhook_inbox_event"),
)
Index(
    "ix_webhook_inbox_wake_at",
    WEBHOOK_INBOX.c.wake_at,
    postgresql_where=WEBHOOK_INBOX.c.wake_at.is_not(None),
)
Index("ix_webhook_inbox_reference", WEBHOOK_INBOX.c.reference)

DEAD_LETTERS: Final = Table(
    "dead_letters",
    METADATA,
    _id("id"),
    _text("subject"),
    _text("reason"),
    _text("error"),
    Column("deliveries", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("headers", JSONB, nullable=False),
    _id("task_id", null=True),
    _id("queue_id", null=True),
    _text("order_id", null=True),
    _at("at", null=False),
    _at("replayed_at"),
    _text("replayed_by", null=True),
    _at("discarded_at"),
    _text("discarded_by", null=True),
    _text("discard_reason", null=True),
    PrimaryKeyConstraint("id"),
)
Index(
    "ix_dead_letters_open",
    DEAD_LETTERS.c.at,
    postgresql_where=DEAD_LETTERS.c.replayed_at.is_(None)
    & DEAD_LETTERS.c.discarded_at.is_(None),
)

CASES: Final = Table(
    "cases",
    METADATA,
    _id("id"),
    _text("kind"),
    Column(
        "queue_id",
        UUID(as_uuid=False),
        ForeignKey("order_queues.queue_id"),
        nullable=False,
    ),
    _text("order_id"),
    _id("task_id"),
    _text("provider", null=True),
    Column("amount", BigInteger),
    _text("currency", null=True),
    Column("money_at_risk", BigInteger, nullable=False),
    Column("detail", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    _text("owner", null=True),
    _text("close_voter", null=True),
    _at("opened_at", null=False),
    _at("closed_at"),
    _text("closed_by", null=True),
    _text("reason", null=True),
    PrimaryKeyConstraint("id"),
)
Index("ix_cases_open", CASES.c.opened_at, postgresql_where=CASES.c.closed_at.is_(None))
Index("ix_cases_queue", CASES.c.queue_id)
Index(
    "uq_cases_one_open",
    CASES.c.task_id,
    CASES.c.kind,
    unique=True,
    postgresql_where=CASES.c.kind.in_([kind.value for kind in sorted(ONE_OPEN)])
    & CASES.c.closed_at.is_(None),
)

PARKED: Final = Table(
    "parked",
    METADATA,
    _id("id"),
    Column("words", ARRAY(Text), nullable=False),
    _text("subject", null=True),
    Column("body", LargeBinary),
    Column("headers", JSONB),
    _at("parked_at", null=False),
    _at("looked_at", null=False),
    PrimaryKeyConstraint("id"),
)

PROVIDER_CONTROLS: Final = Table(
    "provider_controls",
    METADATA,
    _text("provider"),
    _text("state"),
    _text("reason"),
    _at("until"),
    _text("changed_by"),
    _at("changed_at", null=False),
    PrimaryKeyConstraint("provider"),
)

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    _text("name"),
    _text("role"),
    Column("sha256", LargeBinary, nullable=False),
    _text("person", null=True),
    Column("merchants", ARRAY(Text)),
    Column("expires", Date),
    _text("made_by"),
    _text("made_person"),
    _at("made_at", null=False),
    _flag("takes_two"),
    _text("agreed_by", null=True),
    _at("agreed_at"),
    _text("revoked_by", null=True),
    _at("revoked_at"),
    _text("revoke_reason", null=True),
    _text("signed_by"),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("name"),
    UniqueConstraint("sha256", name="uq_api_keys_sha256"),
)

Index("uq_api_keys_name", func.lower(API_KEYS.c.name), unique=True)

API_KEY_USES: Final = Table(
    "api_key_uses",
    METADATA,
    _text("name"),
    _at("used_at", null=False),
    PrimaryKeyConstraint("name"),
)

FOUR_EYES: Final = Table(
    "four_eyes",
    METADATA,
    _text("currency"),
    Column("amount", BigInteger),
    _text("set_by", null=True),
    _at("set_at"),
    _text("reason", null=True),
    Column("proposed_amount", BigInteger),
    _text("proposed_by", null=True),
    _text("proposed_person", null=True),
    _at("proposed_at"),
    _text("signed_by"),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("currency"),
)

PROVIDER_HEALTH: Final = Table(
    "provider_health",
    METADATA,
    _text("provider"),
    _text("replica"),
    _text("state"),
    _at("since"),
    _at("open_until"),
    _at("silent_until"),
    Column("in_flight", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    _at("joined_at", null=False),
    _at("seen_at", null=False),
    PrimaryKeyConstraint("provider", "replica"),
)
