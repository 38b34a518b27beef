"""Create the orders, their tasks, the audit trail, outbox, inbox, letters and cases.

Revision: 0001, after nothing. Invariants that cost money when broken are held here as
well as in code: one live attempt a step, one SUCCEEDED a step, versions that grow by
exactly one, final states without exit, an append-only audit trail, positive amounts.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = (
    "'PENDING', 'CREATING', 'EXECUTING', 'NEGATIVE_EVAL', 'RECHECKING', "
    "'MANUAL_CHECK', 'SUCCEEDED', 'REVERSING', 'REVERSED', 'SKIPPED', 'FAILED', "
    "'CANCELLED'"
)
LIVE = (
    "'CREATING', 'EXECUTING', 'NEGATIVE_EVAL', 'RECHECKING', 'MANUAL_CHECK', "
    "'REVERSING'"
)
FINAL = "'SUCCEEDED', 'REVERSED', 'SKIPPED', 'FAILED', 'CANCELLED'"
RUNNING = "'ACTIVE', 'REVERSING'"

TABLES = f"""
CREATE TABLE order_queues (
    queue_id uuid NOT NULL,
    kind text NOT NULL,
    flow_version smallint NOT NULL DEFAULT 1,
    -- Of two orders with the same key one runs.
    exclusive_key text,
    order_id text NOT NULL,
    merchant_id text NOT NULL,
    customer_id text NOT NULL,
    amount bigint,
    currency text,
    request jsonb NOT NULL,
    -- What was fetched before the first step; written once.
    loaded jsonb,
    content_hash bytea NOT NULL,
    trace_parent text,
    -- Over all that a payout is made of, by a key that is not in the database.
    signed_by text NOT NULL,
    signature bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- What steps move stands last: an update writes ahead what is behind the first
    -- column that changes.
    updated_at timestamptz NOT NULL,
    version integer NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    -- Of the last audit line, and behind it the seal over what this row says.
    audit_hash bytea NOT NULL,
    state text NOT NULL,
    waiting_for text,
    wake_at timestamptz,
    redrives smallint NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    customer_message text,
    finished_at timestamptz,
    CONSTRAINT pk_order_queues PRIMARY KEY (queue_id),
    -- By the caller's own id first: it is asked for alone as well.
    CONSTRAINT uq_order_queues_order UNIQUE (order_id, merchant_id, kind),
    CONSTRAINT ck_order_queues_kind
        CHECK (kind IN ('withdrawal', 'checkout', 'partner_link', 'partner_unlink')),
    CONSTRAINT ck_order_queues_state
        CHECK (state IN ('ACTIVE', 'REVERSING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    CONSTRAINT ck_order_queues_waiting_for
        CHECK (waiting_for IN ('load', 'notification')),
    -- The stage in which what the steps need is fetched ends with its one write.
    CONSTRAINT ck_order_queues_loads CHECK (waiting_for IS DISTINCT FROM 'load'
        OR (state = 'ACTIVE' AND loaded IS NULL)),
    CONSTRAINT ck_order_queues_waits CHECK ((waiting_for IS NULL) = (wake_at IS NULL)),
    CONSTRAINT ck_order_queues_money CHECK ((amount IS NULL) = (currency IS NULL)
        AND (amount IS NOT NULL OR kind IN ('partner_link', 'partner_unlink'))),
    CONSTRAINT ck_order_queues_flow_version CHECK (flow_version >= 1),
    CONSTRAINT ck_order_queues_amount CHECK (amount BETWEEN 1 AND 9007199254740991),
    CONSTRAINT ck_order_queues_currency CHECK (currency ~ '^[A-Z]{{3}}$'),
    CONSTRAINT ck_order_queues_finished
        CHECK ((finished_at IS NULL) = (state IN ({RUNNING})))
) WITH (fillfactor = 75);

CREATE TABLE order_tasks (
    task_id uuid NOT NULL,
    queue_id uuid NOT NULL,
    position smallint NOT NULL,
    lifecycle text NOT NULL DEFAULT 'payout',
    step smallint NOT NULL DEFAULT 0,
    name text,
    provider text,
    terminal_id text,
    sla text,
    created_at timestamptz NOT NULL,
    -- Every step moves these; those behind them move seldom, and are not written again.
    updated_at timestamptz NOT NULL,
    wake_at timestamptz,
    version integer NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    audit_hash bytea NOT NULL,
    state text NOT NULL,
    waiting_for text,
    verdict text,
    code text,
    taken boolean NOT NULL DEFAULT false,
    -- It has its turn or is under way: another has to wait. This and ``watch_at``
    -- change as a turn begins and as it ends; the steps between leave indexes alone.
    live boolean NOT NULL GENERATED ALWAYS AS (state IN ({LIVE})
        OR (state = 'PENDING' AND waiting_for IS DISTINCT FROM 'turn'))
        STORED,
    cancel_requested boolean NOT NULL DEFAULT false,
    webhook_pending boolean NOT NULL DEFAULT false,
    returned boolean NOT NULL DEFAULT false,
    redrives smallint NOT NULL DEFAULT 0,
    -- What the sweeper finds the row by: never later than ``wake_at``. It stays where
    -- it is at most half a minute earlier, so that a chain of steps does not move it;
    -- the sweeper asks ``wake_at`` as well.
    watch_at timestamptz,
    sent_first_at timestamptz,
    sent_last_at timestamptz,
    sla_at timestamptz,
    deadline_at timestamptz,
    provider_reference text,
    webhook_sequence bigint,
    proposed_by text,
    proposed_decision text,
    succeeded boolean NOT NULL GENERATED ALWAYS AS (state = 'SUCCEEDED') STORED,
    CONSTRAINT pk_order_tasks PRIMARY KEY (task_id),
    CONSTRAINT fk_order_tasks_queue_id FOREIGN KEY (queue_id)
        REFERENCES order_queues (queue_id),
    CONSTRAINT uq_order_tasks_position UNIQUE (queue_id, position),
    CONSTRAINT ck_order_tasks_position CHECK (position BETWEEN 0 AND 63),
    CONSTRAINT ck_order_tasks_step CHECK (step BETWEEN 0 AND 63),
    CONSTRAINT ck_order_tasks_named CHECK (coalesce(name, provider) IS NOT NULL
        AND (lifecycle <> 'payout' OR provider IS NOT NULL)),
    CONSTRAINT ck_order_tasks_state CHECK (state IN ({STATES})),
    CONSTRAINT ck_order_tasks_version CHECK (version >= 1),
    -- Each lifecycle has words of its own; who reads a row knows them.
    CONSTRAINT ck_order_tasks_waiting_for CHECK (
        lifecycle <> 'payout' OR waiting_for IN (
        'turn', 'freeze', 'create', 'create_retry', 'weighing', 'recheck', 'recreate',
        'webhook', 'poll', 'cancel', 'commit', 'rollback', 'return', 'decision',
        'last_question')),
    CONSTRAINT ck_order_tasks_verdict CHECK (verdict IN ('paid', 'not_paid')),
    -- Nobody is forgotten: what is not final waits for something, and unless that is
    -- its turn, a person, or a webhook without limit, it has a time.
    CONSTRAINT ck_order_tasks_waits CHECK (
        (state IN ({FINAL}) AND waiting_for IS NULL AND wake_at IS NULL)
        OR (state = 'SUCCEEDED' AND waiting_for = 'return' AND wake_at IS NOT NULL)
        OR (state NOT IN ({FINAL}) AND waiting_for IS NOT NULL AND (
            wake_at IS NOT NULL OR waiting_for IN ('turn', 'decision', 'webhook')))),
    CONSTRAINT ck_order_tasks_watched CHECK (
        (watch_at IS NULL) = (wake_at IS NULL) AND watch_at <= wake_at),
    CONSTRAINT ck_order_tasks_returned CHECK (
        state = 'SUCCEEDED'
        OR (NOT returned AND waiting_for IS DISTINCT FROM 'return')),
    CONSTRAINT ck_order_tasks_succeeded
        CHECK (lifecycle <> 'payout' OR state <> 'SUCCEEDED'
               OR verdict IS NOT DISTINCT FROM 'paid'),
    CONSTRAINT ck_order_tasks_unpaid
        CHECK (state NOT IN ('SKIPPED', 'FAILED', 'CANCELLED')
               OR verdict IS DISTINCT FROM 'paid'),
    CONSTRAINT ck_order_tasks_contradicting_calls
        CHECK ((waiting_for IS DISTINCT FROM 'commit'
                OR verdict IS NOT DISTINCT FROM 'paid')
               AND (waiting_for IS DISTINCT FROM 'rollback'
                    OR verdict IS NOT DISTINCT FROM 'not_paid'))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_cost_delay = 1);

-- What a task came to that the steps after it need; written once, with its step. The
-- keyed hash is that of its audit line, and stays where an erasure takes the rest out.
CREATE TABLE order_task_results (
    queue_id uuid NOT NULL,
    task_id uuid NOT NULL,
    result_hash bytea NOT NULL,
    result jsonb,
    CONSTRAINT pk_order_task_results PRIMARY KEY (queue_id, task_id),
    -- Of the task, which its step holds already: the order's row may be another's.
    CONSTRAINT fk_order_task_results_task_id FOREIGN KEY (task_id)
        REFERENCES order_tasks (task_id)
);

CREATE TABLE order_task_events (
    entity_id uuid NOT NULL,
    -- Drawn one by one while the rows of the step are held: who was decided on what
    -- another step wrote has the higher number, over any connection, by any clock. A
    -- cache would hand each connection numbers of its own, out of order.
    seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    at timestamptz NOT NULL,
    queue_id uuid NOT NULL,
    version integer NOT NULL,
    source text,
    target text NOT NULL,
    trigger text NOT NULL,
    actor text NOT NULL,
    -- Named by the line that makes an order, and that of all its lines.
    trace_id text,
    detail jsonb NOT NULL,
    key_id text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_order_task_events PRIMARY KEY (entity_id, version)
) PARTITION BY RANGE (entity_id);
CREATE TABLE order_task_events_rest PARTITION OF order_task_events DEFAULT;

-- What all chains ended in at a time; the line of it goes out of this database. The
-- numbers of transactions say from where on the next anchor has to look.
CREATE TABLE anchors (
    n bigint NOT NULL,
    at timestamptz NOT NULL,
    complete_to timestamptz NOT NULL,
    heads integer NOT NULL,
    root bytea NOT NULL,
    previous bytea NOT NULL,
    key_id text NOT NULL,
    mac bytea NOT NULL,
    seq_to bigint NOT NULL,
    xid_from bigint NOT NULL,
    xid_to bigint NOT NULL,
    CONSTRAINT pk_anchors PRIMARY KEY (n),
    CONSTRAINT ck_anchors_n CHECK (n >= 1)
);

CREATE TABLE anchor_heads (
    entity_id uuid NOT NULL,
    version integer NOT NULL,
    n bigint NOT NULL,
    queue_id uuid NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_anchor_heads PRIMARY KEY (entity_id, version)
);

-- A row is one message, or a bundle of all that the steps of one commit post: what they
-- say alike is said once, where the bundle is compressed, and one row is deleted.
CREATE TABLE outbox (
    seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    messages integer NOT NULL DEFAULT 1,
    message_id text,
    subject text,
    body bytea,
    headers jsonb,
    at timestamptz,
    schedule text,
    queue_id uuid,
    bundle text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_outbox PRIMARY KEY (seq),
    CONSTRAINT ck_outbox_whole CHECK (messages >= 1 AND CASE WHEN bundle IS NULL
        THEN messages = 1 AND num_nulls(message_id, subject, body) = 0
        ELSE num_nonnulls(message_id, subject, body, headers, at, schedule, queue_id)
            = 0 END)
) WITH (toast_tuple_target = 1024, autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE webhook_inbox (
    inbox_id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    reference text NOT NULL,
    task_id uuid,
    provider_reference text,
    amount bigint,
    currency text,
    code text,
    message text,
    detail jsonb NOT NULL,
    body_hash bytea NOT NULL,
    content_hash bytea NOT NULL,
    sequence bigint,
    seen_as text,
    -- Of who has verified it: a row that somebody else wrote is nobody's word.
    signed_by text NOT NULL,
    signature bytea NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    received_at timestamptz NOT NULL,
    wake_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT pk_webhook_inbox PRIMARY KEY (inbox_id),
    CONSTRAINT uq_webhook_inbox_event UNIQUE (provider, event_id),
    CONSTRAINT ck_webhook_inbox_state
        CHECK (state IN ('waiting', 'applied', 'known', 'ignored', 'dead')),
    CONSTRAINT ck_webhook_inbox_waits
        CHECK ((state = 'waiting') = (wake_at IS NOT NULL))
);

CREATE TABLE dead_letters (
    id uuid NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    error text NOT NULL,
    deliveries integer NOT NULL,
    body bytea NOT NULL,
    headers jsonb NOT NULL,
    task_id uuid,
    queue_id uuid,
    order_id text,
    at timestamptz NOT NULL,
    replayed_at timestamptz,
    replayed_by text,
    discarded_at timestamptz,
    discarded_by text,
    discard_reason text,
    CONSTRAINT pk_dead_letters PRIMARY KEY (id),
    CONSTRAINT ck_dead_letters_reason
        CHECK (reason IN ('invalid', 'exhausted', 'crashed', 'unknown_task')),
    CONSTRAINT ck_dead_letters_one_end
        CHECK (replayed_at IS NULL OR discarded_at IS NULL)
);

CREATE TABLE cases (
    id uuid NOT NULL,
    kind text NOT NULL,
    queue_id uuid NOT NULL,
    order_id text NOT NULL,
    task_id uuid NOT NULL,
    provider text,
    amount bigint,
    currency text,
    money_at_risk bigint NOT NULL,
    detail jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open',
    owner text,
    close_voter text,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by text,
    reason text,
    CONSTRAINT pk_cases PRIMARY KEY (id),
    CONSTRAINT fk_cases_queue_id FOREIGN KEY (queue_id)
        REFERENCES order_queues (queue_id),
    CONSTRAINT ck_cases_kind CHECK (kind IN ('late_success', 'return_after_success',
        'amount_mismatch', 'reference_mismatch', 'contradiction', 'balance_refused',
        'tampered')),
    CONSTRAINT ck_cases_provider CHECK (provider <> ''),
    CONSTRAINT ck_cases_state
        CHECK (state IN ('open', 'settling', 'settled', 'closed')),
    CONSTRAINT ck_cases_closed CHECK (
        (closed_at IS NULL) = (closed_by IS NULL)
        AND (closed_at IS NULL) = (state IN ('open', 'settling'))),
    CONSTRAINT ck_cases_settlement CHECK (
        state NOT IN ('settling', 'settled') OR kind = 'return_after_success'),
    CONSTRAINT ck_cases_money CHECK ((amount IS NULL) = (currency IS NULL)
        AND (amount IS NOT NULL OR money_at_risk = 0)),
    CONSTRAINT ck_cases_money_at_risk CHECK (money_at_risk >= 0)
);

-- What some version does not know the words of: an order (its rows stay as they are),
-- or a whole message. Who knows them takes it from here.
CREATE TABLE parked (
    id uuid NOT NULL,
    words text[] NOT NULL,
    subject text,
    body bytea,
    headers jsonb,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_parked PRIMARY KEY (id),
    CONSTRAINT ck_parked_words CHECK (cardinality(words) > 0),
    CONSTRAINT ck_parked_whole CHECK (num_nonnulls(subject, body, headers) IN (0, 3))
);

CREATE TABLE provider_controls (
    provider text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    until timestamptz,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_provider_controls PRIMARY KEY (provider),
    CONSTRAINT ck_provider_controls_state CHECK (state IN ('ready', 'paused'))
);

-- Hashes of keys, never keys. What decides is signed by a key that is not in the
-- database: who can only write here makes none that is taken.
CREATE TABLE api_keys (
    name text NOT NULL,
    role text NOT NULL,
    sha256 bytea NOT NULL,
    person text,
    merchants text[],
    expires date,
    made_by text NOT NULL,
    made_person text NOT NULL,
    made_at timestamptz NOT NULL,
    takes_two boolean NOT NULL DEFAULT false,
    agreed_by text,
    agreed_at timestamptz,
    revoked_by text,
    revoked_at timestamptz,
    revoke_reason text,
    signed_by text NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT pk_api_keys PRIMARY KEY (name),
    CONSTRAINT uq_api_keys_sha256 UNIQUE (sha256),
    CONSTRAINT ck_api_keys_role
        CHECK (role IN ('viewer', 'support', 'admin', 'upstream')),
    CONSTRAINT ck_api_keys_agreed CHECK ((agreed_by IS NULL) = (agreed_at IS NULL)),
    CONSTRAINT ck_api_keys_revoked CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);

-- Written once a minute, beside the keys: also for those of the environment.
CREATE TABLE api_key_uses (
    name text NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT pk_api_key_uses PRIMARY KEY (name)
);

-- Signed likewise: what somebody else has written here lets nobody decide alone.
CREATE TABLE four_eyes (
    currency text NOT NULL,
    amount bigint,
    set_by text,
    set_at timestamptz,
    reason text,
    proposed_amount bigint,
    proposed_by text,
    proposed_person text,
    proposed_at timestamptz,
    signed_by text NOT NULL,
    signature bytea NOT NULL,
    CONSTRAINT pk_four_eyes PRIMARY KEY (currency),
    CONSTRAINT ck_four_eyes_amount CHECK (amount >= 1 AND proposed_amount >= 1)
);

-- One row for each replica that lives, written by it once a second; nothing is lost
-- with them, so they need not survive a crash of the server.
CREATE UNLOGGED TABLE provider_health (
    provider text NOT NULL,
    replica text NOT NULL,
    state text NOT NULL,
    since timestamptz,
    open_until timestamptz,
    silent_until timestamptz,
    in_flight integer NOT NULL,
    calls integer NOT NULL,
    failed integer NOT NULL,
    refused integer NOT NULL,
    joined_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT pk_provider_health PRIMARY KEY (provider, replica),
    CONSTRAINT ck_provider_health_state
        CHECK (state IN ('ready', 'open', 'half_open'))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
"""

INDEXES = """
-- Compressed in its row rather than put aside. Said here: PostgreSQL 15 knows no
-- STORAGE within CREATE TABLE.
ALTER TABLE outbox ALTER COLUMN bundle SET STORAGE MAIN;

-- A few bytes for each 64 pages, and nothing to keep in order: lines come by number.
CREATE INDEX ix_order_task_events_seq ON order_task_events
    USING brin (seq) WITH (pages_per_range = 64, autosummarize = on);
CREATE INDEX ix_anchor_heads_n ON anchor_heads (n, entity_id);
CREATE UNIQUE INDEX uq_order_tasks_one_live ON order_tasks (queue_id, step) WHERE live;
CREATE UNIQUE INDEX uq_order_tasks_one_succeeded
    ON order_tasks (queue_id, step) WHERE succeeded;
CREATE UNIQUE INDEX uq_order_queues_exclusive ON order_queues (exclusive_key)
    WHERE exclusive_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX ix_order_queues_completed ON order_queues (exclusive_key, finished_at)
    WHERE exclusive_key IS NOT NULL AND state = 'COMPLETED';
CREATE INDEX ix_order_tasks_watch_at ON order_tasks (watch_at)
    WHERE watch_at IS NOT NULL;
CREATE INDEX ix_order_queues_wake_at ON order_queues (wake_at)
    WHERE wake_at IS NOT NULL;
CREATE INDEX ix_order_queues_customer ON order_queues (customer_id, queue_id);
CREATE UNIQUE INDEX uq_api_keys_name ON api_keys (lower(name));
CREATE INDEX ix_webhook_inbox_wake_at ON webhook_inbox (wake_at)
    WHERE wake_at IS NOT NULL;
CREATE INDEX ix_webhook_inbox_reference ON webhook_inbox (reference);
CREATE INDEX ix_dead_letters_open ON dead_letters (at)
    WHERE replayed_at IS NULL AND discarded_at IS NULL;
CREATE INDEX ix_cases_open ON cases (opened_at) WHERE closed_at IS NULL;
CREATE INDEX ix_cases_queue ON cases (queue_id);
CREATE UNIQUE INDEX uq_cases_one_open ON cases (task_id, kind)
    WHERE kind IN ('balance_refused', 'reference_mismatch') AND closed_at IS NULL;
"""

# The condition runs in the executor; the function is called only to refuse. What looks
# before a row of an order is changed would lock it, and write that ahead, each time: so
# these look after. Nothing is kept of a statement that one of them refuses.
GUARDS = f"""
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

-- What may move without a version is named by the trigger. Its condition is read anew
-- for each statement, so it is short, and the function is for those that have none.
CREATE FUNCTION refuse_without_version() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.version = OLD.version AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER order_tasks_version_grows_by_one AFTER UPDATE ON order_tasks
FOR EACH ROW WHEN (NEW.version <> OLD.version + 1)
EXECUTE FUNCTION refuse_without_version(
    'wake_at', 'watch_at', 'redrives', 'webhook_pending', 'webhook_sequence');

CREATE TRIGGER order_tasks_final_has_no_exit AFTER UPDATE ON order_tasks
FOR EACH ROW WHEN (
    OLD.state IN ({FINAL}) AND (
        NEW.verdict IS DISTINCT FROM OLD.verdict
        -- What a step has done may be undone; money that left is asked for, not undone.
        OR (NEW.state <> OLD.state AND NOT (OLD.lifecycle <> 'payout'
            AND OLD.state = 'SUCCEEDED' AND NEW.state = 'REVERSING')))
) EXECUTE FUNCTION refuse_change();

-- Only where a statement names one of them: no step does.
CREATE TRIGGER order_tasks_identity_is_fixed AFTER UPDATE OF task_id, queue_id,
    position, provider, lifecycle, step, name, terminal_id, sla, created_at
ON order_tasks
FOR EACH ROW WHEN (
    NEW.queue_id <> OLD.queue_id OR NEW.position <> OLD.position
    OR NEW.provider IS DISTINCT FROM OLD.provider
    OR NEW.lifecycle <> OLD.lifecycle OR NEW.step <> OLD.step
    OR NEW.name IS DISTINCT FROM OLD.name
    OR NEW.terminal_id IS DISTINCT FROM OLD.terminal_id
    OR NEW.sla IS DISTINCT FROM OLD.sla OR NEW.created_at <> OLD.created_at
    OR NEW.task_id <> OLD.task_id
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER order_queues_version_grows_by_one AFTER UPDATE ON order_queues
FOR EACH ROW WHEN (NEW.version <> OLD.version + 1)
EXECUTE FUNCTION refuse_without_version('wake_at', 'redrives', 'loaded',
    'customer_message', 'trace_parent', 'customer_id', 'request', 'signature');

CREATE TRIGGER order_queues_final_has_no_exit AFTER UPDATE ON order_queues
FOR EACH ROW WHEN (
    (OLD.state NOT IN ({RUNNING}) AND NEW.state <> OLD.state)
    OR (OLD.state = 'REVERSING' AND NEW.state IN ('ACTIVE', 'COMPLETED'))
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER order_queues_identity_is_fixed AFTER UPDATE OF queue_id, kind,
    flow_version, exclusive_key, order_id, merchant_id, amount, currency, content_hash,
    signed_by, created_at
ON order_queues
FOR EACH ROW WHEN (
    NEW.amount IS DISTINCT FROM OLD.amount
    OR NEW.currency IS DISTINCT FROM OLD.currency
    OR NEW.flow_version <> OLD.flow_version
    OR NEW.exclusive_key IS DISTINCT FROM OLD.exclusive_key
    OR NEW.order_id <> OLD.order_id OR NEW.merchant_id <> OLD.merchant_id
    OR NEW.kind <> OLD.kind OR NEW.content_hash <> OLD.content_hash
    OR NEW.signed_by <> OLD.signed_by
    OR NEW.created_at <> OLD.created_at OR NEW.queue_id <> OLD.queue_id
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER order_queues_loaded_at_its_stage AFTER UPDATE ON order_queues
FOR EACH ROW WHEN (
    OLD.loaded IS NULL AND NEW.loaded IS NOT NULL
    AND (OLD.waiting_for IS DISTINCT FROM 'load' OR NEW.version <> OLD.version + 1)
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER api_keys_identity_is_fixed BEFORE UPDATE ON api_keys
FOR EACH ROW WHEN (
    NEW.name <> OLD.name OR NEW.role <> OLD.role OR NEW.sha256 <> OLD.sha256
    OR NEW.person IS DISTINCT FROM OLD.person
    OR NEW.merchants IS DISTINCT FROM OLD.merchants
    OR NEW.expires IS DISTINCT FROM OLD.expires OR NEW.made_by <> OLD.made_by
    OR NEW.made_person <> OLD.made_person OR NEW.made_at <> OLD.made_at
    OR NEW.takes_two <> OLD.takes_two OR OLD.revoked_at IS NOT NULL
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER api_keys_stay BEFORE DELETE ON api_keys
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER api_keys_no_truncate BEFORE TRUNCATE ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- What currency has no amount of its own any more has a row that says so.
CREATE TRIGGER four_eyes_stay BEFORE DELETE ON four_eyes
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER four_eyes_no_truncate BEFORE TRUNCATE ON four_eyes
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What people have decided stays decided; a settlement moves its case by the machine.
CREATE TRIGGER cases_identity_is_fixed BEFORE UPDATE ON cases
FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.queue_id <> OLD.queue_id
    OR NEW.order_id <> OLD.order_id OR NEW.task_id <> OLD.task_id
    OR NEW.provider IS DISTINCT FROM OLD.provider
    OR NEW.amount IS DISTINCT FROM OLD.amount
    OR NEW.currency IS DISTINCT FROM OLD.currency
    OR NEW.money_at_risk <> OLD.money_at_risk
    OR NEW.detail <> OLD.detail OR NEW.opened_at <> OLD.opened_at
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cases_over_has_no_exit BEFORE UPDATE ON cases
FOR EACH ROW WHEN (
    (OLD.closed_at IS NOT NULL AND (
        NEW.state <> OLD.state OR NEW.closed_at IS DISTINCT FROM OLD.closed_at
        OR NEW.closed_by IS DISTINCT FROM OLD.closed_by
        OR NEW.reason IS DISTINCT FROM OLD.reason
        OR NEW.owner IS DISTINCT FROM OLD.owner
        OR NEW.close_voter IS DISTINCT FROM OLD.close_voter))
    OR OLD.close_voter <> NEW.close_voter
    OR (OLD.state = 'settling' AND NEW.state = 'closed')
    OR (OLD.owner IS NOT NULL AND NEW.owner IS NULL)
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER dead_letters_identity_is_fixed BEFORE UPDATE ON dead_letters
FOR EACH ROW WHEN (
    NEW.id <> OLD.id OR NEW.subject <> OLD.subject OR NEW.reason <> OLD.reason
    OR NEW.task_id IS DISTINCT FROM OLD.task_id
    OR NEW.queue_id IS DISTINCT FROM OLD.queue_id
    OR NEW.order_id IS DISTINCT FROM OLD.order_id
) EXECUTE FUNCTION refuse_change();

-- Open again only as a whole, and by a death that came after.
CREATE TRIGGER dead_letters_dealt_with_stays BEFORE UPDATE ON dead_letters
FOR EACH ROW WHEN (
    (OLD.replayed_at IS NOT NULL OR OLD.discarded_at IS NOT NULL)
    AND (NEW.replayed_at IS DISTINCT FROM OLD.replayed_at
        OR NEW.replayed_by IS DISTINCT FROM OLD.replayed_by
        OR NEW.discarded_at IS DISTINCT FROM OLD.discarded_at
        OR NEW.discarded_by IS DISTINCT FROM OLD.discarded_by
        OR NEW.discard_reason IS DISTINCT FROM OLD.discard_reason)
    AND NOT (NEW.at >= coalesce(OLD.replayed_at, OLD.discarded_at)
        AND NEW.replayed_at IS NULL AND NEW.replayed_by IS NULL
        AND NEW.discarded_at IS NULL AND NEW.discarded_by IS NULL
        AND NEW.discard_reason IS NULL)
) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER provider_controls_moves_on BEFORE UPDATE ON provider_controls
FOR EACH ROW WHEN (
    NEW.provider <> OLD.provider OR NEW.changed_at <= OLD.changed_at
    OR (OLD.state = 'ready' AND NEW.state = 'ready')
) EXECUTE FUNCTION refuse_change();

-- What somebody has said stays as it came in; what was dealt with is not waited for
-- again, but where nobody's task ever came for it and a person has it sent once more.
CREATE TRIGGER webhook_inbox_content_is_fixed BEFORE UPDATE ON webhook_inbox
FOR EACH ROW WHEN (
    NEW.inbox_id <> OLD.inbox_id OR NEW.provider <> OLD.provider
    OR NEW.event_id <> OLD.event_id OR NEW.type <> OLD.type
    OR NEW.reference <> OLD.reference
    OR NEW.task_id IS DISTINCT FROM OLD.task_id
    OR NEW.provider_reference IS DISTINCT FROM OLD.provider_reference
    OR NEW.amount IS DISTINCT FROM OLD.amount
    OR NEW.currency IS DISTINCT FROM OLD.currency
    OR NEW.code IS DISTINCT FROM OLD.code
    OR NEW.body_hash <> OLD.body_hash OR NEW.content_hash <> OLD.content_hash
    OR NEW.sequence IS DISTINCT FROM OLD.sequence
    OR NEW.seen_as IS DISTINCT FROM OLD.seen_as
    OR NEW.signed_by <> OLD.signed_by OR NEW.signature <> OLD.signature
    OR NEW.received_at <> OLD.received_at
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhook_inbox_settled_stays BEFORE UPDATE ON webhook_inbox
FOR EACH ROW WHEN (
    OLD.state <> 'waiting' AND NEW.state <> OLD.state
    AND NOT (OLD.state = 'dead' AND NEW.state = 'waiting')
) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhook_inbox_no_truncate BEFORE TRUNCATE ON webhook_inbox
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER cases_stay BEFORE DELETE ON cases
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letters_stay BEFORE DELETE ON dead_letters
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER provider_controls_stay BEFORE DELETE ON provider_controls
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cases_no_truncate BEFORE TRUNCATE ON cases
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dead_letters_no_truncate BEFORE TRUNCATE ON dead_letters
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER provider_controls_no_truncate BEFORE TRUNCATE ON provider_controls
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER order_task_events_append_only BEFORE UPDATE OR DELETE
ON order_task_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_task_events_no_truncate BEFORE TRUNCATE
ON order_task_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchors_append_only BEFORE UPDATE OR DELETE
ON anchors FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchors_no_truncate BEFORE TRUNCATE
ON anchors FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchor_heads_append_only BEFORE UPDATE OR DELETE
ON anchor_heads FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER anchor_heads_no_truncate BEFORE TRUNCATE
ON anchor_heads FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Statement triggers are not handed down: each partition has its own.
CREATE TRIGGER order_task_events_no_truncate BEFORE TRUNCATE
ON order_task_events_rest FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Who the customer is, where his money went and what was loaded about him may go from an
# order that is over, and only together with the line that says so; it never comes back.
# What is left is signed anew.
ERASURES = """
CREATE FUNCTION refuse_unless_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'ACTIVE' AND NEW.version = OLD.version + 1
        AND OLD.customer_id <> '' AND NEW.customer_id = ''
        AND NEW.request = '{"destination": {}, "metadata": {}, "erased": true}'
        AND NEW.loaded IS NULL
        AND EXISTS (SELECT FROM order_task_events e WHERE e.entity_id = NEW.queue_id
            AND e.version = NEW.version AND e.hash = substr(NEW.audit_hash, 1, 32)
            AND e.trigger = 'order.erased')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER order_queues_person_is_fixed AFTER UPDATE ON order_queues
FOR EACH ROW WHEN (
    NEW.customer_id <> OLD.customer_id OR NEW.request <> OLD.request
    OR NEW.signature <> OLD.signature
    OR (OLD.loaded IS NOT NULL AND NEW.loaded IS DISTINCT FROM OLD.loaded)
) EXECUTE FUNCTION refuse_unless_erased();

-- A letter about such an order, once somebody has dealt with it, is emptied as a whole.
CREATE FUNCTION refuse_unless_about_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.replayed_at IS NOT NULL OR OLD.discarded_at IS NOT NULL)
        AND NEW.body = '' AND NEW.headers = '{}'
        AND EXISTS (SELECT FROM order_queues q WHERE q.customer_id = '' AND (
            q.queue_id = OLD.queue_id OR q.order_id = OLD.order_id
            OR q.queue_id = (SELECT t.queue_id FROM order_tasks t
                WHERE t.task_id = OLD.task_id)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER dead_letters_content_is_fixed BEFORE UPDATE ON dead_letters
FOR EACH ROW WHEN (NEW.body <> OLD.body OR NEW.headers <> OLD.headers)
EXECUTE FUNCTION refuse_unless_about_erased();
"""

# What an order's tasks came to goes with all else that is personal, after its row.
RESULTS = """
CREATE FUNCTION refuse_unless_result_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.result IS NULL AND NEW.task_id = OLD.task_id AND NEW.queue_id = OLD.queue_id
        AND NEW.result_hash = OLD.result_hash
        AND EXISTS (SELECT FROM order_queues q WHERE q.queue_id = OLD.queue_id
            AND q.customer_id = '')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER order_task_results_written_once BEFORE UPDATE ON order_task_results
FOR EACH ROW EXECUTE FUNCTION refuse_unless_result_erased();
CREATE TRIGGER order_task_results_stay BEFORE DELETE ON order_task_results
FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_task_results_no_truncate BEFORE TRUNCATE ON order_task_results
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# What can be about no task of ours goes after the week in which one might have asked
# for it (`WEBHOOKS_KEPT`); what may be about one never does.
FORGETTING = """
CREATE FUNCTION refuse_unless_forgotten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.task_id IS NULL
        AND OLD.received_at < clock_timestamp() - interval '7 days'
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'payment-service: % refused on %', TG_NAME, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER webhook_inbox_stays BEFORE DELETE ON webhook_inbox
FOR EACH ROW EXECUTE FUNCTION refuse_unless_forgotten();
"""

# Who serves owns no table, and can make none. The second of these functions makes for
# him, in the owner's name, just what is due; the first any month's, for the owner.
# A line belongs to the month in which its row was made: ids are UUIDv7.
PARTITIONS = """
CREATE FUNCTION make_trail_partition(month date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text := 'order_task_events_' || to_char(month, 'YYYY_MM');
    bounds uuid[];
BEGIN
    IF to_regclass(quote_ident(part)) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Of two who make it at once one would be told that it exists already.
    PERFORM pg_advisory_xact_lock(7261002);
    SELECT array_agg(rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint),
        12, '0'), 32, '0')::uuid ORDER BY moment) INTO bounds
    FROM unnest(ARRAY[month, month + interval '1 month']) AS moment;
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF order_task_events '
        'FOR VALUES FROM (%L) TO (%L)', part, bounds[1], bounds[2]);
    EXECUTE format('CREATE OR REPLACE TRIGGER order_task_events_no_truncate '
        'BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
        part);
EXCEPTION WHEN check_violation THEN
    -- Lines of that month are in the rest, where they are found too: they stay there.
    RETURN;
END $$;

CREATE FUNCTION make_trail_partitions() RETURNS void LANGUAGE sql SECURITY DEFINER
AS $$
    SELECT make_trail_partition((date_trunc('month',
        clock_timestamp() AT TIME ZONE 'UTC') + ahead * interval '1 month')::date)
    FROM generate_series(0, 2) AS ahead
$$;

-- What runs in the owner's name, or reads a table to judge, looks at nothing that its
-- caller put in the way: a temporary table stands before all others of its name.
DO $$
DECLARE looks regprocedure;
BEGIN
    FOREACH looks IN ARRAY ARRAY['make_trail_partitions()', 'refuse_unless_erased()',
        'refuse_unless_about_erased()', 'refuse_unless_result_erased()']::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', looks,
            current_schema());
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION make_trail_partition(date), make_trail_partitions(),
    refuse_change(), refuse_without_version(), refuse_unless_erased(),
    refuse_unless_about_erased(), refuse_unless_forgotten(),
    refuse_unless_result_erased() FROM PUBLIC;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for part in (TABLES, INDEXES, GUARDS, ERASURES, RESULTS, FORGETTING, PARTITIONS):
        op.execute(part)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '4s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for table in (
        "provider_health",
        "four_eyes",
        "api_key_uses",
        "api_keys",
        "provider_controls",
        "parked",
        "cases",
        "dead_letters",
        "webhook_inbox",
        "outbox",
        "anchor_heads",
        "anchors",
        "order_task_events",
        "order_task_results",
        "order_tasks",
        "order_queues",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "DROP FUNCTION make_trail_partitions(), make_trail_partition(date), "
        "refuse_change(), refuse_without_version(), refuse_unless_erased(), "
        "refuse_unless_about_erased(), refuse_unless_forgotten(), "
        "refuse_unless_result_erased()"
    )
