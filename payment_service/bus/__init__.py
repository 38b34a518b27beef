"""The message bus on NATS JetStream."""

from payment_service.bus.access import Access
from payment_service.bus.anchor_stream import StreamSink
from payment_service.bus.api import JetStreamApi, JetStreamRefused
from payment_service.bus.changes import TopologyChange, TopologyRefused
from payment_service.bus.connection import OldServer, connect
from payment_service.bus.consumer import (
    Consumer,
    ConsumerLimits,
    DurableConsumer,
    Listeners,
)
from payment_service.bus.ensure import ensure
from payment_service.bus.nats_client import NatsClient, PermissionRefused
from payment_service.bus.open_access import beyond_need, takes_anybody
from payment_service.bus.probe import probe
from payment_service.bus.publisher import JetStreamPublisher, PublishRefusal
from payment_service.bus.pull_subscription import PullTimes
from payment_service.bus.subjects import Names
from payment_service.bus.topology import (
    Durable,
    Stream,
    StreamTerms,
    Topology,
    wanted,
)
from payment_service.bus.unrouted import UNROUTED_MAX, dead_letter_unrouted
from payment_service.bus.waiters import OrderWaiters, TooManyWaiters
from payment_service.bus.watchdog import Watchdog, WatchListeners, WatchTimes

__all__ = [
    "UNROUTED_MAX",
    "Access",
    "Consumer",
    "ConsumerLimits",
    "Durable",
    "DurableConsumer",
    "JetStreamApi",
    "JetStreamPublisher",
    "JetStreamRefused",
    "Listeners",
    "Names",
    "NatsClient",
    "OldServer",
    "OrderWaiters",
    "PermissionRefused",
    "PublishRefusal",
    "PullTimes",
    "Stream",
    "StreamSink",
    "StreamTerms",
    "TooManyWaiters",
    "Topology",
    "TopologyChange",
    "TopologyRefused",
    "WatchListeners",
    "WatchTimes",
    "Watchdog",
    "beyond_need",
    "connect",
    "dead_letter_unrouted",
    "ensure",
    "probe",
    "takes_anybody",
    "wanted",
]
