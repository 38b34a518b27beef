"""Statements that undo what people have decided, by the guard that refuses."""

# ruff: noqa: S608 - every word of these statements stands here

DISCARDED = (
    "UPDATE dead_letters SET discarded_at = now() + interval '1 s', "
    "discarded_by = 'x', discard_reason = 'r'"
)
REPLAYED = (
    "UPDATE dead_letters SET replayed_at = now() + interval '1 s', replayed_by = 'x'"
)
UNDISCARDED = "discarded_at = NULL, discarded_by = NULL, discard_reason = NULL"
UNREPLAYED = "replayed_at = NULL,"
UNDONE = f"{UNREPLAYED} replayed_by = NULL, {UNDISCARDED}"
CLOSER = "closed_by = 'x'"
CASE_CLOSED = (
    f"UPDATE cases SET state = 'closed', closed_at = now(), {CLOSER}, reason = 'r'"
)
PAUSED = (
    "INSERT INTO provider_controls (provider, state, reason, changed_by, changed_at) "
    "VALUES ('acme', 'paused', 'r', 'key:a', now())"
)
READY = "state = 'ready', changed_at = changed_at + interval '1 s'"
AGAIN = "reason = 'x', changed_at = changed_at + interval '1 s'"


FILLED = """
INSERT INTO dead_letters (id, subject, reason, error, deliveries, body, headers, at,
    discarded_at, discarded_by)
VALUES (gen_random_uuid(), 's', 'invalid', 'e', 1, 'x', '{}', now(), now(), 'key:a')
"""


def refused_of(case):
    """Return the statements by guard; ``case`` is what inserts an open case."""
    returned = (
        case.replace("contradiction", "return_after_success")
        .replace("opened_at)", "opened_at, state)")
        .replace("now())", "now(), 'settling')")
    )
    return {
        "dead_letters_identity_is_fixed": [
            f"UPDATE dead_letters SET {change}"
            for change in (
                "id = gen_random_uuid()",
                "subject = 'another'",
                "reason = 'crashed'",
                "task_id = gen_random_uuid()",
                "queue_id = gen_random_uuid()",
                "order_id = 'w-2'",
            )
        ],
        "dead_letters_content_is_fixed": [
            "UPDATE dead_letters SET body = 'x'",
            "UPDATE dead_letters SET headers = '[]'",
            # No order that it is about was erased.
            f"{FILLED}; UPDATE dead_letters SET body = ''",
        ],
        "dead_letters_dealt_with_stays": [
            f"{before}; UPDATE dead_letters SET {change}"
            for before, change in (
                (DISCARDED, "discarded_at = NULL"),
                (DISCARDED, UNDONE),
                (DISCARDED, f"{UNDONE}, at = now() - interval '1 ms'"),
                (DISCARDED, "discarded_by = 'another'"),
                (DISCARDED, "discarded_by = NULL, at = now() + interval '1 h'"),
                (DISCARDED, "discard_reason = 'another'"),
                (DISCARDED, f"{UNDISCARDED}, replayed_at = now(), replayed_by = 'x'"),
                (REPLAYED, "replayed_at = NULL, replayed_by = NULL"),
                (REPLAYED, "replayed_by = 'another'"),
                (REPLAYED, "replayed_at = now() + interval '2 s'"),
                (
                    REPLAYED,
                    f"{UNREPLAYED} replayed_by = 'x', at = now() + interval '1 h'",
                ),
                (REPLAYED, "discard_reason = 'another'"),
            )
        ],
        "dead_letters_stay": ["DELETE FROM dead_letters"],
        "dead_letters_no_truncate": ["TRUNCATE dead_letters"],
        "cases_identity_is_fixed": [
            f"UPDATE cases SET {change}"
            for change in (
                "id = gen_random_uuid()",
                "kind = 'late_success'",
                "queue_id = gen_random_uuid()",
                "order_id = 'w-2'",
                "task_id = gen_random_uuid()",
                "provider = 'zeta'",
                "provider = NULL",
                "amount = 2",
                "currency = 'USD'",
                "money_at_risk = 0",
                "detail = '[]'",
                "opened_at = now() + interval '1 h'",
            )
        ],
        "cases_over_has_no_exit": [
            *(
                f"{CASE_CLOSED}; UPDATE cases SET {change}"
                for change in (
                    "state = 'open', closed_at = NULL, closed_by = NULL",
                    "closed_at = now() + interval '1 h'",
                    "closed_by = 'another'",
                    "reason = 'another'",
                    "owner = 'another'",
                    "close_voter = 'another'",
                )
            ),
            "UPDATE cases SET close_voter = 'a'; UPDATE cases SET close_voter = 'b'",
            f"{returned}; {CASE_CLOSED} WHERE state = 'settling'",
            "UPDATE cases SET owner = 'anna'; UPDATE cases SET owner = NULL",
        ],
        "cases_stay": ["DELETE FROM cases"],
        "cases_no_truncate": ["TRUNCATE cases"],
        "provider_controls_moves_on": [
            f"{PAUSED}; UPDATE provider_controls SET {change}"
            for change in (
                "provider = 'zeta', changed_at = now() + interval '1 h'",
                "state = 'ready'",
                "reason = 'another'",
                "state = 'ready', changed_at = changed_at - interval '1 h'",
                f"{READY}; UPDATE provider_controls SET {AGAIN}",
            )
        ],
        "provider_controls_stay": [f"{PAUSED}; DELETE FROM provider_controls"],
        "provider_controls_no_truncate": ["TRUNCATE provider_controls"],
    }
