"""The message bus on NATS JetStream."""

from payment_service.bus.access import Access
from payment_service.bus.anchor_stream import StreamSink
from payment_service.bus.api import Api, JetStreamRefused
from payment_service.bus.changes import Change, TopologyRefused
from payment_service.bus.connection import OldServer, connect
from payment_service.bus.consumer import Consumer, Limits, Listeners, Source
from payment_service.bus.ensure import ensure
from payment_service.bus.names import Names
from payment_service.bus.probe import probe
from payment_service.bus.publisher import JetStreamPublisher, Refusal
from payment_service.bus.pulls import PullTimes
from payment_service.bus.strangers import beyond_need, takes_anybody
from payment_service.bus.topology import (
    Durable,
    Stream,
    StreamTerms,
    Topology,
    wanted,
)
from payment_service.bus.unrouted import UNROUTED_MAX, dead_letter_unrouted
from payment_service.bus.waiters import TooManyWaiters, Waiters
from payment_service.bus.watchdog import Watchdog, WatchListeners, WatchTimes
from payment_service.bus.wire import PermissionRefused, Wire

__all__ = [
    "UNROUTED_MAX",
    "Access",
    "Api",
    "Change",
    "Consumer",
    "Durable",
    "JetStreamPublisher",
    "JetStreamRefused",
    "Limits",
    "Listeners",
    "Names",
    "OldServer",
    "PermissionRefused",
    "PullTimes",
    "Refusal",
    "Source",
    "Stream",
    "StreamSink",
    "StreamTerms",
    "TooManyWaiters",
    "Topology",
    "TopologyRefused",
    "Waiters",
    "WatchListeners",
    "WatchTimes",
    "Watchdog",
    "Wire",
    "beyond_need",
    "connect",
    "dead_letter_unrouted",
    "ensure",
    "probe",
    "takes_anybody",
    "wanted",
]
