"""What a failure of PostgreSQL says: about the connection, the statement, the cure."""

from typing import Final

import psycopg

from fsm.domain.errors import StoreUnavailable

# The server, or the way to it, is not what it was: a standby now, or going down.
_GONE: Final = frozenset(
    {
        "25006",  # read_only_sql_transaction: this was the primary
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P04",  # database_dropped
        "57P05",  # idle_session_timeout
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    }
)
# The statement is not there, or not as it was planned: the connection must be new.
_FORGOTTEN: Final = frozenset(
    {
        "26000",  # invalid_sql_statement_name
        "42P05",  # duplicate_prepared_statement
        "0A000",  # feature_not_supported: 'cached plan must not change result type'
    }
)
# These say that nothing at all was done.
_NOTHING_DONE: Final = _FORGOTTEN | {
    "25006",
    "57P05",
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
}
# The server answers, and cannot keep what it is given for want of disk or memory.
_CANNOT_KEEP: Final = ("53", "58")
# It takes no value so long, or so deep: class 54, which says nothing of the server.
_TOO_LONG: Final = "54"
_MEND: Final = {
    "26000": "behind a pooler set PAYMENT_DATABASE_PREPARE to auto",
    "42P05": "behind a pooler set PAYMENT_DATABASE_PREPARE to auto",
    "53100": "the server's disk is full: make room",
    "42501": "grant it to the user of PAYMENT_DATABASE_URL",
    "42P01": "run `payment-service migrate`",
}
# Connecting fails without a code; these are the words of poolers and of PostgreSQL.
_WORDS: Final = {
    "transaction blocks not allowed in statement pooling": (
        "set the pooler's pool_mode to transaction"
    ),
    "unsupported startup parameter": (
        "take `options` out of PAYMENT_DATABASE_URL and PGOPTIONS, and set them by "
        "ALTER ROLE … SET"
    ),
    "password authentication failed": "see the password in PAYMENT_DATABASE_URL",
    "too many clients already": "raise max_connections, or use a pooler",
    "remaining connection slots": "raise max_connections, or use a pooler",
    "too many connections for": "raise the user's or the database's CONNECTION LIMIT",
    "no more connections allowed": "raise the pooler's max_client_conn",
    "session is read-only": "none of the hosts takes writes: see which is the primary",
    "session is not read-only": "see target_session_attrs in PAYMENT_DATABASE_URL",
}
_PASSING: Final = (
    "the database system is starting up",
    "the database system is not yet accepting connections",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "too many clients already",
    "remaining connection slots",
    "too many connections for",
    "no more connections allowed",
)


def spoils(error: psycopg.Error) -> bool:
    """Whether the connection, and those made with it, must not be used again."""
    code = error.sqlstate or ""
    return code in _GONE or code in _FORGOTTEN or code.startswith("08")


def cannot_keep(error: psycopg.Error) -> bool:
    """Whether the server is not able to keep what it was given just now."""
    return (error.sqlstate or "").startswith(_CANNOT_KEEP)


def is_unstorable(error: Exception) -> bool:
    """Whether a value was refused that is refused for ever."""
    if isinstance(error, psycopg.Error):
        too_long = (error.sqlstate or "").startswith(_TOO_LONG)
        return too_long or isinstance(error, psycopg.DataError)
    return isinstance(error, UnicodeError)


def has_done_nothing(error: psycopg.Error) -> bool:
    """Whether the statement certainly left no trace, so that it may be repeated."""
    return error.sqlstate in _NOTHING_DONE


def failure_and_mend(error: BaseException) -> str:
    """Say what failed and, where that is known, how to mend it."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = f"{type(error).__name__}: {lines[0] if lines else ''}"
    mend = mend_of(error)
    return f"{text}: {mend}" if mend else text


def is_passing(error: psycopg.Error) -> bool:
    """Whether a server that refused a connection will soon take one."""
    return any(words in str(error) for words in _PASSING)


def mend_of_connection(error: BaseException) -> str:
    """Return how to mend it, which may be no more than to see whether it runs."""
    is_away = isinstance(error, psycopg.OperationalError)
    return mend_of(error) or (StoreUnavailable.mend if is_away else "")


def mend_of(error: BaseException) -> str:
    """Return how to mend it; empty where that is not known."""
    code = error.sqlstate if isinstance(error, psycopg.Error) else None
    if code in _MEND:
        return _MEND[code]
    text = str(error)
    return next((mend for words, mend in _WORDS.items() if words in text), "")
