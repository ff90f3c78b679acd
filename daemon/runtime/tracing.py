"""OpenTelemetry traces (`pip install chartwire[otel]`): one for each change, from the webhook or the pass to the write.

The trace's id is that of the event that began it: what `history` and `explain` name is found in the tracing system as it is. No attribute holds anything of a
record: practices, kinds of events, intents and operations by name, and the ids of events, which say nothing to who lacks the practice's
keys. Loaded only where `[traces] endpoint` is configured.
"""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Generic, NamedTuple, TypeVar

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, set_span_in_context

from events.ids import EventId, IntentId
from events.records import type_of
from events.schema import (
    Event,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    Origin,
    Outcome,
    Recorded,
)
from events.traces import READING, Headers, Untraced

K = TypeVar("K")
V = TypeVar("V")
Attributes = Mapping[str, str | int]

REMEMBERED = 10_000
"""Changes and writes on their way whose spans are known."""

HEADER = "traceparent"
PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
"""W3C Trace Context, of a trace that is followed."""

SHARES = 1_000_000
DAY = 86_400_000_000_000
CallOutcome = IntentSucceeded | IntentRefused | IntentSuperseded | IntentOutcomeUnknown
OUTCOMES = {
    IntentSucceeded: "succeeded",
    IntentRefused: "refused",
    IntentSuperseded: "superseded",
    IntentOutcomeUnknown: "unknown",
}
WRITING: ContextVar[Span | None] = ContextVar("WRITING", default=None)
"""The write that this task makes."""


class _Newest(OrderedDict[K, V], Generic[K, V]):
    """The newest so many."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


class _Wanted(NamedTuple):
    """A write that is wanted: what is told of it, its trace, and the event that it follows from."""

    told: Attributes
    trace: EventId
    cause: EventId | None


class _EventIds(RandomIdGenerator):
    """A trace has the id of its event."""

    trace = 0

    def generate_trace_id(self) -> int:
        return self.trace or super().generate_trace_id()


class EventTraces(Untraced):
    """Follows a `share` of all changes, the same on each worker. `processor` is given the spans."""

    on = True

    def __init__(self, processor: SpanProcessor, resource: Mapping[str, str], *, share: float = 1.0) -> None:
        self._ids = _EventIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": "chartwire", **resource}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("chartwire")
        self._share = round(share * SHARES)
        self._carried: _Newest[EventId, tuple[SpanContext | None, int]] = _Newest()
        self._led: _Newest[EventId, SpanContext] = _Newest()
        """The span in which an event was recorded: what follows from it is led to by that."""
        self._wanted: _Newest[IntentId, _Wanted] = _Newest()
        self._writes: _Newest[IntentId, Span] = _Newest()

    # -- the way of a change --------------------------------------------------------------------------------------------

    def published(self, event: Event) -> Headers:
        trace = _trace_of(event)
        if not self._followed(trace):
            return []
        source = READING.get()
        now = time.time_ns()
        name, began = (event.type, None) if source is None else source
        if began is None:
            read = int(event.observed.timestamp() * 1e9)
            began = read if now - DAY < read <= now else now
        kind = SpanKind.SERVER if name.startswith("webhook ") else SpanKind.INTERNAL
        span = self._begin(name, trace, None, began, kind, _of_event(event))
        span.end()
        context = span.get_span_context()
        return [(HEADER, f"00-{context.trace_id:032x}-{context.span_id:016x}-01".encode())]

    def carried(self, event: Event, headers: Sequence[tuple[str, bytes]]) -> None:
        """What somebody else has put there is passed over: only a span of the event's own trace can have led to it."""
        trace = _trace_of(event)
        if self._followed(trace):
            found = next((PARENT.fullmatch(value or b"") for key, value in headers if key == HEADER), None)
            mine = found is not None and int(found[1], 16) == trace.int and int(found[2], 16) != 0
            self._carried[event.id] = (_context(trace, int(found[2], 16)) if mine and found else None, time.time_ns())

    def recorded(self, events: Sequence[Recorded]) -> None:
        wanted: Counter[EventId | None] = Counter()
        for event in [one.event for one in events]:
            if isinstance(body := event.body, IntentRequested):
                told = {"system": body.system.value, "resource": body.resource.value, "write": type_of(body.write)}
                self._wanted[body.intent] = _Wanted(_named(told | {"rule": body.rule}), _trace_of(event), event.cause)
                wanted[event.cause] += 1
        for one in events:
            body = one.event.body
            if isinstance(body, IntentAttempted):
                self._begin_write(one.event, body, body.attempt, current=True)
            elif isinstance(body, CallOutcome):
                self._end_write(one.event, body)
            elif one.event.origin is not Origin.CHARTWIRE or one.event.id in wanted:
                self._record(one, wanted[one.event.id])
            elif one.event.cause is not None and (led := self._led.get(one.event.cause)) is not None:
                self._led[one.event.id] = led

    def _record(self, one: Recorded, intents: int) -> None:
        """The message was read from Kafka, waited for its turn, and is recorded with what was decided."""
        trace = _trace_of(one.event)
        if not self._followed(trace):
            return
        parent, began = self._carried.pop(one.event.id, (None, time.time_ns()))
        if parent is None and one.event.cause is not None:
            parent = self._led.get(one.event.cause)
        told = _of_event(one.event) | _named({"sequence": one.sequence, "intents": intents})
        span = self._begin("record", trace, parent, began, SpanKind.CONSUMER, told)
        span.end()
        self._led[one.event.id] = span.get_span_context()

    # -- the write --------------------------------------------------------------------------------------------------------

    def _begin_write(self, event: Event, body: Outcome, attempt: int, *, current: bool) -> Span | None:
        wanted = self._wanted.get(body.intent) or _Wanted({}, _trace_of(event), event.cause)
        parent = None if wanted.cause is None else self._led.get(wanted.cause)
        if parent is None and not self._followed(wanted.trace):
            return None
        if (before := self._writes.pop(body.intent, None)) is not None:
            before.end()
        told = {**wanted.told, **_named({"practice": event.practice, "intent": body.intent, "attempt": attempt})}
        span = self._begin("write", wanted.trace, parent, time.time_ns(), SpanKind.CLIENT, told)
        if current:
            self._writes[body.intent] = span
            WRITING.set(span)
        return span

    def _end_write(self, event: Event, body: CallOutcome) -> None:
        """What follows from the outcome is led to by the write. One that has no span was settled by looking, or was never tried."""
        span = self._writes.pop(body.intent, None)
        span = span or self._begin_write(event, body, getattr(body, "attempt", 0), current=False)
        if span is None:
            return
        outcome = {"outcome": OUTCOMES[type(body)]}
        if isinstance(body, IntentSucceeded):
            outcome["settled_by"] = body.settled_by
        span.set_attributes(_named(outcome))
        if isinstance(body, IntentRefused | IntentOutcomeUnknown):
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        self._led[event.id] = span.get_span_context()
        if WRITING.get() is span:
            WRITING.set(None)

    def called(self, operation: str, outcome: str, seconds: float) -> None:
        self._within(operation, seconds, {"outcome": outcome})

    def waited(self, operation: str, seconds: float) -> None:
        self._within(f"turn of {operation}", seconds, {})

    def _within(self, name: str, seconds: float, told: Mapping[str, str]) -> None:
        """Something has ended that took so long, within the write that this task makes."""
        writing = WRITING.get()
        if writing is None or not writing.is_recording():
            return
        now = time.time_ns()
        parent = writing.get_span_context()
        began = now - int(seconds * 1e9)
        span = self._begin(name, None, parent, began, SpanKind.CLIENT, _named(told))
        span.end(now)

    # -- small things ---------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """What is still being written ends here."""
        for span in self._writes.values():
            span.end()
        self._provider.shutdown()

    def _followed(self, event: EventId) -> bool:
        return event.int % SHARES < self._share

    def _begin(
        self, name: str, event: EventId | None, parent: SpanContext | None, began: int, kind: SpanKind, told: Attributes
    ) -> Span:
        self._ids.trace = 0 if event is None else event.int
        within = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
        span: Any = self._tracer.start_span(name, within, kind, dict(told), start_time=began)
        return span  # type: ignore[no-any-return]


def _trace_of(event: Event) -> EventId:
    """The event that began the chain."""
    return event.correlation or event.id


def _context(event: EventId, span: int) -> SpanContext:
    return SpanContext(event.int, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _of_event(event: Event) -> dict[str, str | int]:
    return _named({"practice": event.practice, "event_id": str(event.id), "event_type": event.type})


def _named(told: Mapping[str, str | int]) -> dict[str, str | int]:
    """Attributes by chartwire's names; each is a name, a number or an id of ours."""
    return {f"chartwire.{name}": value for name, value in told.items()}


def exporting(endpoint: str, resource: Mapping[str, str], *, share: float) -> EventTraces:
    """Traces that are sent to a collector by OTLP over HTTP, in batches, in a thread of their own."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter: SpanExporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=10)
    return EventTraces(BatchSpanProcessor(exporter), resource, share=share)
