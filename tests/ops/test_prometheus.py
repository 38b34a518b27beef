"""Rules ask for metrics that are there, by names and labels that they have."""

import re
from pathlib import Path

import pytest
import yaml

from payment_service.observability.metrics import Metrics

RULES = Path("ops/prometheus/rules")
LABELS = "_labelnames"
CALLS = {"sum", "by", "rate", "max"}


def alerts():
    for file in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def metrics():
    """Return the labels of each metric by the name that Prometheus knows."""
    collectors = Metrics().registry._collector_to_names
    return {
        name: set(getattr(collector, LABELS))
        for collector, names in collectors.items()
        for name in names
    }


@pytest.mark.parametrize("rule", list(alerts()), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_counted(rule):
    asked = re.sub(r"\[\w+\]|\"[^\"]*\"", "", rule["expr"])
    words = set(re.findall(r"[a-z_]{2,}", asked)) - CALLS
    names = words & metrics().keys()

    assert names
    labels = set[str]().union(*(metrics()[name] for name in names))
    assert words - names <= labels
    assert rule["for"]
    assert rule["annotations"]["summary"]
