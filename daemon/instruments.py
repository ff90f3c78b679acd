"""The meter of a worker that serves metrics: what it hears becomes counters and histograms for Prometheus.

No label's value comes from a record: vendors, operations as templates, outcomes, resources, statuses. What is to be known of a
worker's state is asked when it is scraped (daemon/runtime/metrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from daemon.telemetry import Meter

disable_created_metrics()  # type: ignore[no-untyped-call]

CALL_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
TURN_BUCKETS = (0.01, 0.25, 1.0, 5.0, 30.0, 120.0)
CHANGE_BUCKETS = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
WORK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

COUNTED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "changes_seen": ("changes_seen", "Changes of records that were recorded for the first time.", ()),
    "changes_repeated": ("changes_repeated", "Changes that had been recorded before.", ()),
    "conflicts": ("conflicts", "Fields that people changed differently in both systems.", ()),
    "echoes_suppressed": ("echoes_suppressed", "Changes that were chartwire's own writes.", ()),
    "epoch_changes": ("epoch_changes", "Practices that this worker took over.", ()),
    "events_recorded": ("events_recorded", "Events that were appended.", ()),
    "fences": ("fences", "Times that a practice turned out to have another owner.", ()),
    "messages_dropped": ("messages_dropped", "Messages of which nothing at all could be recorded.", ()),
    "notices": ("notices", "Messages to people.", ("kind", "outcome")),
    "refusals": ("refusals", "Writes that a vendor refused and a person has to decide about.", ()),
    "webhooks": ("webhooks", "Deliveries to the webhook endpoint, by the answer's status.", ("resource", "status")),
    "written": ("writes", "Writes that were done.", ("system", "resource", "write")),
}
"""By the first part of a counted name: the metric, what it counts, and the labels that its other parts are."""

TIMED: Mapping[str, tuple[str, str, tuple[str, ...], Sequence[float]]] = {
    "append": ("append_seconds", "Appending the events of one recording.", (), WORK_BUCKETS),
    "change_to_write": (
        "change_to_write_seconds", "From a person's change to its write in the other system.", ("system",), CHANGE_BUCKETS,
    ),
    "fold": ("fold_seconds", "Folding and deciding in one recording.", (), WORK_BUCKETS),
    "loop_delay": ("event_loop_delay_seconds", "How much later than asked the event loop woke a task.", (), WORK_BUCKETS),
}  # fmt: skip
"""As `COUNTED`, of durations."""


class Instruments(Meter):
    """A meter whose `registry` Prometheus can scrape. A name that the tables do not hold is kept by the meter alone."""

    def __init__(self) -> None:
        super().__init__()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._calls = self._counter("vendor_calls", "Calls to a vendor that ended.", ("vendor", "operation", "outcome"))
        self._call_seconds = self._histogram(
            "vendor_call_seconds", "Duration of calls to a vendor.", ("vendor", "operation"), CALL_BUCKETS
        )
        self._turn_seconds = self._histogram(
            "vendor_turn_seconds", "How long calls waited for their turn within the limits.", ("vendor",), TURN_BUCKETS
        )
        self._counted = {name: self._counter(*given) for name, given in COUNTED.items()}
        self._timed = {name: self._histogram(*given) for name, given in TIMED.items()}

    def call(self, operation: str, outcome: str, seconds: float) -> None:
        super().call(operation, outcome, seconds)
        vendor, _, name = operation.partition(".")
        self._calls.labels(vendor, name, outcome).inc()
        self._call_seconds.labels(vendor, name).observe(seconds)

    def waited(self, operation: str, seconds: float) -> None:
        super().waited(operation, seconds)
        self._turn_seconds.labels(operation.partition(".")[0]).observe(seconds)

    def count(self, name: str, by: int = 1) -> None:
        super().count(name, by)
        first, *labels = name.split(".")
        if (counter := self._counted.get(first)) is not None:
            (counter.labels(*labels) if labels else counter).inc(by)

    def took(self, name: str, seconds: float) -> None:
        super().took(name, seconds)
        first, *labels = name.split(".")
        if (histogram := self._timed.get(first)) is not None:
            (histogram.labels(*labels) if labels else histogram).observe(max(seconds, 0.0))

    def _counter(self, name: str, about: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"chartwire_{name}", about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, labels: tuple[str, ...], buckets: Sequence[float]) -> Histogram:
        return Histogram(f"chartwire_{name}", about, labels, registry=self.registry, buckets=buckets)
