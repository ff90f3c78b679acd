"""Logs and counters that cannot carry a patient's data.

structlog with a processor that lets listed keys through and nothing else: a value under any other key, and the text of any
exception, is dropped and counted. Event names are verbs in the past.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import structlog

from events.traces import UNTRACED

ALLOWED_KEYS = frozenset(
    {
        "address", "attempt", "batch", "code", "count", "cycle", "database", "delay_seconds", "epoch", "error_type", "event",
        "event_id", "event_type", "events", "field", "intent_id", "intents", "key", "lag", "level", "logger", "offset", "operation",
        "outcome", "owner", "page", "partition", "partitions", "path", "pid", "practice", "practices", "reason", "resource", "rule",
        "seconds", "sequence", "signal", "slot_kind", "source", "status", "system", "timestamp", "topic", "version", "watermark",
        "worker",
    }
)  # fmt: skip
"""Keys whose values are written by us and never come from a record; `slot_kind` is a slot without its id."""


def only_listed_keys(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep listed keys with plain values; an exception is reduced to its type."""
    if (failure := event.pop("exc_info", None)) is not None:
        error = sys.exc_info()[1] if failure is True else failure
        event["error_type"] = type(error).__name__
    kept: dict[str, Any] = {}
    for key, value in event.items():
        if key in ALLOWED_KEYS:
            kept[key] = value if isinstance(value, int | float | bool | None) else str(value)
    return kept


REPEAT_SECONDS = 60.0
GROWING = frozenset({"attempt", "delay_seconds"})
"""Keys of lines that come at growing pauses anyway."""

DISTINCT = 10_000


class Repeats:
    """A warning or an error that is said again and again (PostgreSQL away, asked for by each practice each second) is said once a minute, with how
    often it came since. Lines of growing pauses are left alone."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: dict[tuple[tuple[str, Any], ...], tuple[float, int]] = {}

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event.get("level") not in ("warning", "error") or event.keys() & GROWING:
            return event
        what, now = tuple(sorted((key, value) for key, value in event.items() if key != "count")), self._now()
        since, repeated = self._said.get(what, (now - REPEAT_SECONDS, 0))
        if now - since < REPEAT_SECONDS:
            self._said[what] = since, repeated + 1
            raise structlog.DropEvent
        if len(self._said) >= DISTINCT:
            self._said.clear()
        self._said[what] = now, 0
        if repeated:
            event["repeated"] = repeated
        return event


def configure_logging(*, json: bool, level: str = "INFO") -> None:
    """Send structlog and the standard library's logging (aiokafka, aiohttp: warnings only, names only) to stderr."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            only_listed_keys,
            Repeats(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_NamesOnly()]
    root.setLevel(logging.WARNING)


QUIET_SECONDS = 10.0


class _NamesOnly(logging.Handler):
    """Other libraries' records, without their text: it may quote what they were handling. A line of code that reports again and
    again (Kafka's client does hundreds of times a second while no broker answers) is heard every ten seconds, with its count."""

    def __init__(self) -> None:
        super().__init__()
        self._heard: dict[str, tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        path = f"{record.module}:{record.lineno}"
        since, count = self._heard.get(path, (0.0, 0))
        if record.created - since < QUIET_SECONDS:
            self._heard[path] = (since, count + 1)
            return
        self._heard[path] = (record.created, 0)
        structlog.get_logger().log(record.levelno, "library_reported", source=record.name, path=path, count=count + 1)


class Meter:
    """Counters and durations by name, for `status`, the demo's summary and the console. Labels are never patients' data."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.traces = UNTRACED

    def call(self, operation: str, outcome: str, seconds: float) -> None:
        """One vendor call: `operation` is a template such as `billing.GetPatients`."""
        self.calls[operation, outcome] += 1
        self.traces.called(operation, outcome, seconds)

    def waited(self, operation: str, seconds: float) -> None:
        """A vendor call waited for its turn for so long: the vendor's limits, or other calls under way."""
        self.took("turn", seconds)
        self.traces.waited(operation, seconds)

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] += by

    def took(self, name: str, seconds: float) -> None:
        """A duration; the last 10,000 of a name are kept."""
        durations = self.seconds[name]
        durations.append(seconds)
        if len(durations) > 10_000:
            del durations[:5_000]

    def quantiles(self, name: str, points: Iterable[float] = (0.5, 0.99)) -> dict[str, float] | None:
        """The quantiles in seconds, by name such as `p50`; None when nothing was measured."""
        values = sorted(self.seconds[name])
        if not values:
            return None
        return {
            f"p{round(point * 100)}": round(values[min(len(values) - 1, int(point * len(values)))], 3) for point in points
        }
