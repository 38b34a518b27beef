"""Every metric of the service, by the names that dashboards rely on (contract, 9)."""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from handlers.ports.backlog import Backlog

CALLS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STAYS: Final = (
    0.005,
    0.025,
    0.1,
    0.5,
    1,
    5,
    15,
    60,
    300,
    900,
    3600,
    21600,
    86400,
    604800,
)


def _calls(r: CollectorRegistry, name: str, about: str, *labels: str) -> Histogram:
    """Return what counts calls out by how long they took."""
    return Histogram(name, about, labels, buckets=CALLS, registry=r)


def _stays(r: CollectorRegistry, name: str, about: str, *labels: str) -> Histogram:
    """Return what counts waits of whole orders and tasks by how long they took."""
    return Histogram(name, about, labels, buckets=STAYS, registry=r)


class Metrics:
    """The collectors; their labels take values from closed vocabularies only."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.task_time_in_state = _stays(
            r,
            "task_time_in_state_seconds",
            "How long tasks stay in a state",
            *("state", "provider"),
        )
        self.http_refused = Counter(
            "http_refused",
            "Callers hung up on before it was known who they are",
            ["reason"],
            registry=r,
        )
        self.dead_letters_reduced = Counter(
            "dead_letters_reduced",
            "Dead letters of which the database took the bytes alone",
            registry=r,
        )
        self.messages_unreadable = Counter(
            "messages_unreadable",
            "Messages at which the reading stumbled; they were let go",
            registry=r,
        )
        self.distrusted = Gauge(
            "forwarders_distrusted",
            "1 where NATS takes anybody, so that it vouches for no forwarder",
            registry=r,
        )
        self.dlq_size = Gauge("dlq_size", "Dead letters to be dealt with", registry=r)
        self.core_notifications = Counter(
            "core_notifications", "Notifications to core", ["outcome"], registry=r
        )
        self.orders = Counter("orders", "Orders ended", ["kind", "outcome"], registry=r)
        self.order_duration = _stays(
            r, "order_duration_seconds", "From request to outcome", "kind", "outcome"
        )
        self.attempts = Counter(
            "attempts", "Attempts ended", ["provider", "outcome"], registry=r
        )
        self.provider_request = _calls(
            r,
            "provider_request_seconds",
            "Calls to providers",
            "provider",
            "operation",
            "outcome",
        )
        self.service_request = _calls(
            r,
            "service_request_seconds",
            "Calls to the services of steps and loads",
            "service",
            "operation",
            "outcome",
        )
        self.partner_file_lines = Counter(
            "partner_file_lines",
            "Lines of the files that partners reconcile by",
            ["partner", "outcome"],
            registry=r,
        )
        self.balance_request = _calls(
            r,
            "balance_request_seconds",
            "Balance calls to core",
            "operation",
            "outcome",
        )
        self.webhooks = Counter(
            "webhooks", "Webhooks received", ["provider", "outcome"], registry=r
        )
        self.tasks = Gauge(
            "tasks", "Tasks that are not final", ["state", "provider"], registry=r
        )
        self.manual_check_oldest = Gauge(
            "manual_check_oldest_seconds", "Age of the oldest manual check", registry=r
        )
        self.money_at_risk = Gauge(
            "money_at_risk",
            "Minor units held by attempts whose payment is unproven",
            ["provider", "currency"],
            registry=r,
        )
        self.cases_open = Gauge("cases_open", "Open cases", ["kind"], registry=r)
        self.cases_oldest = Gauge(
            "cases_oldest_seconds", "Age of the oldest open case", ["kind"], registry=r
        )
        self.cases_money_at_risk = Gauge(
            "cases_money_at_risk",
            "Minor units that open cases may cost",
            ["kind", "currency"],
            registry=r,
        )
        self.provider_breaker_state = Gauge(
            "provider_breaker_state",
            "0 ready, 1 half open, 2 open, 3 paused",
            ["provider"],
            registry=r,
        )
        self.provider_kept_out = Counter(
            "payment_provider_limited",
            "New attempts that had to wait or were passed over",
            ["provider", "reason"],
            registry=r,
        )
        self.provider_success_rate = Gauge(
            "payment_provider_success_rate",
            "Share of the creates in the breaker's window that the provider took",
            ["provider"],
            registry=r,
        )
        self.messages = Counter(
            "messages", "Messages handled", ["subject", "outcome"], registry=r
        )
        self.conflicts = Counter(
            "optimistic_conflicts", "Steps lost to another worker", registry=r
        )
        self.timers_stale = Counter(
            "timers_stale", "Timers and wake-ups for an older version", registry=r
        )
        self.timer_lateness = _stays(
            r, "timer_lateness_seconds", "How late wake-ups were handled"
        )
        self.sweeper_redriven = Counter(
            "sweeper_redriven", "Rows woken by the sweeper", registry=r
        )
        self.messages_refused = Counter(
            "messages_refused",
            "Messages that NATS did not take; they stay in the outbox",
            ["stream", "reason"],
            registry=r,
        )
        self.driven_overdue = Counter(
            "driven_without_wakeup",
            "Rows and webhooks driven from the database, since nothing rang for them",
            registry=r,
        )
        self.anchors = Counter(
            "anchors",
            "Tries to bring out anchors, and lines that were brought out",
            ["sink", "outcome"],
            registry=r,
        )
        self.anchor_age = Gauge(
            "anchor_age_seconds",
            "Age of the newest anchor that is known to be out there",
            ["sink"],
            registry=r,
        )
        self.process_deaf = Gauge(
            "process_deaf",
            "1 where NATS delivers this process nothing of what waits",
            registry=r,
        )
        self.parked = Gauge(
            "parked",
            "Orders and messages parked for a version that knows their words",
            ["word"],
            registry=r,
        )
        self.parked_oldest = Gauge(
            "parked_oldest_seconds", "Age of the oldest that is parked", registry=r
        )
        self.outbox_pending = Gauge("outbox_pending", "Rows to publish", registry=r)
        self.outbox_lag = Gauge(
            "outbox_lag_seconds", "Age of the oldest row to publish", registry=r
        )

    def show(self, standing: Backlog) -> None:
        """Set the gauges to what the rows say; what is not named is gone."""
        self.tasks.clear()
        for state, provider, count in standing.tasks:
            self.tasks.labels(state, provider).set(count)
        self.money_at_risk.clear()
        for provider, currency, amount in standing.money_at_risk:
            self.money_at_risk.labels(provider, currency).set(amount)
        self.cases_open.clear()
        for kind, count in standing.cases_open:
            self.cases_open.labels(kind).set(count)
        self.cases_oldest.clear()
        for kind, seconds in standing.cases_oldest_seconds:
            self.cases_oldest.labels(kind).set(seconds)
        self.cases_money_at_risk.clear()
        for kind, currency, amount in standing.cases_money_at_risk:
            self.cases_money_at_risk.labels(kind, currency).set(amount)
        self.manual_check_oldest.set(standing.manual_check_oldest_seconds)
        self.dlq_size.set(standing.dlq_size)
        self.parked.clear()
        for word, count in standing.parked:
            self.parked.labels(word).set(count)
        self.parked_oldest.set(standing.parked_oldest_seconds)
        self.outbox_pending.set(standing.outbox_pending)
        self.outbox_lag.set(standing.outbox_lag_seconds)

    def page(self) -> bytes:
        """Return the exposition that Prometheus reads."""
        return generate_latest(self.registry)
