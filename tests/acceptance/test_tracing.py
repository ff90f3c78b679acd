"""OpenTelemetry: one trace for each change of a played day, from the webhook or the pass to the write, by the event's id."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from daemon.config import ConfigError, load
from daemon.demo.rehearsal import Rest, prepare, servers
from daemon.operator.finishing import finish
from daemon.runtime.surroundings import surroundings, traces_of
from daemon.runtime.tracing import EventTraces
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from daemon.telemetry import Meter
from daemon.vendors.sections import SECTIONS
from events.ids import EventId, PracticeId
from events.keyed import is_keyed
from events.schema import Event, IntentAttempted, IntentRequested, IntentSucceeded, Origin, Recorded
from events.traces import UNTRACED
from tests.acceptance.test_telemetry import leaks
from tests.conftest import opened_store, until

NAMES = re.compile(
    r"webhook elation [a-z_]+|(elation|kareo)\.[a-z-]+|record|write|(turn of )?(elation|kareo)\.[A-Za-z_ {}/]+"
)
ATTRIBUTES = {
    "practice", "event_id", "event_type", "sequence", "intents", "intent", "attempt", "system", "resource", "write", "rule",
    "outcome", "settled_by",
}  # fmt: skip


class Followed:
    """A clinic day and the spans that came of it, by trace."""

    def __init__(self, clinic: Clinic, day: Day, spans: Iterable[ReadableSpan], events: dict[EventId, Recorded]) -> None:
        self.clinic = clinic
        self.day = day
        self.events = events
        self.traces: defaultdict[int, list[ReadableSpan]] = defaultdict(list)
        for span in spans:
            self.traces[span.context.trace_id].append(span)

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for each in self.traces.values() for span in each]

    def root(self, event: Event) -> EventId:
        """What began the chain."""
        while event.cause is not None:
            event = self.events[event.cause].event
        return event.id

    def chain(self, event: Event) -> list[str]:
        """What led to an event, by its type."""
        types = [event.type]
        while event.cause is not None:
            event = self.events[event.cause].event
            types.append(event.type)
        return types

    def of(self, event: EventId) -> dict[str, list[ReadableSpan]]:
        """The spans of an event's trace: how it was seen, recorded, written, and the calls and turns of that."""
        found: dict[str, list[ReadableSpan]] = {"seen": [], "record": [], "write": [], "within": []}
        writes = {span.context.span_id for span in self.traces[event.int] if span.name == "write"}
        for span in self.traces[event.int]:
            within = span.parent is not None and span.parent.span_id in writes
            kind = span.name if span.name in ("record", "write") else "within" if within else "seen"
            found[kind].append(span)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def followed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Followed]:
    """The day is played on a finished database: ids of events say nothing to who lacks the keys."""
    folder, exporter, clinic = tmp_path_factory.mktemp("traces"), InMemorySpanExporter(), Clinic(offices=1)
    traces = EventTraces(SimpleSpanProcessor(exporter), {})
    async with servers() as (postgres, broker):
        await clinic.start()
        try:
            file = await prepare(clinic, folder, postgres, broker)
            config = load(file, SECTIONS)
            store = await opened_store(config, folder)
            async with surroundings(config, folder, traces=traces) as around:
                connection = await postgres_owner(config.postgres.migrate_dsn)
                assert [one.problem async for one in finish(connection, ["elm"], around.keyring)] == [""]
                await connection.close()
                worker, day = Worker(around), Day(clinic, size=3)
                running = asyncio.create_task(worker.run())
                try:
                    rest = Rest(worker, clinic, store)
                    day.prepare()
                    await until(lambda: len(worker.practices) == 1, 60)
                    await day.play(lambda _: rest.reached())
                    await rest.reached()
                finally:
                    worker.stop()
                    await running
            await store.load_keys()
            events = {one.event.id: one async for one in store.read(PracticeId("elm"))}
            await store.close()
            yield Followed(clinic, day, exporter.get_finished_spans(), events)
        finally:
            await clinic.stop()


async def postgres_owner(dsn: str) -> Any:
    import asyncpg

    return await asyncpg.connect(dsn)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {name.removeprefix("chartwire."): value for name, value in (span.attributes or {}).items()}


pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


async def test_each_observation_is_one_trace_by_its_id_from_where_it_was_seen_to_its_recording(followed: Followed) -> None:
    observed = [one for one in followed.events.values() if one.event.origin in (Origin.EHR, Origin.BILLING)]
    assert len(observed) > 50
    names = set()
    for one in observed:
        trace = followed.of(followed.root(one.event))
        if one.event.cause is not None:  # read in the course of a write, or because somebody asked
            continue
        roots = {span.context.span_id: span for span in trace["seen"]}
        assert all(span.parent is None for span in roots.values())
        (record,) = [span for span in trace["record"] if attributes(span)["event_id"] == str(one.event.id)]
        assert record.parent is not None, "the header of the message says which span led to it"
        assert record.parent.span_id in roots
        assert attributes(record)["sequence"] == one.sequence
        assert attributes(record)["event_type"] == one.event.type
        names |= {span.name for span in roots.values()}
    assert {"webhook elation patients", "webhook elation bills", "kareo.appointments"} <= names
    assert names & {"kareo.patients", "kareo.sweep"}


async def test_every_write_is_in_the_trace_of_its_cause_with_its_calls_and_its_outcome(followed: Followed) -> None:
    wanted: dict[str, Event] = {}
    attempts = 0
    for event in [one.event for one in followed.events.values()]:
        if isinstance(event.body, IntentRequested):
            wanted[event.body.intent] = event
        if not isinstance(event.body, IntentAttempted):
            continue
        intent, attempt = event.body.intent, event.body.attempt
        attempts += 1
        trace = followed.of(followed.root(wanted[intent]))
        assert intent in {attributes(span)["intent"] for span in trace["write"]}, followed.chain(wanted[intent])
        (write,) = [
            one for one in trace["write"] if attributes(one)["intent"] == intent and attributes(one)["attempt"] == attempt
        ]
        assert write.parent is not None
        assert write.parent.span_id in {one.context.span_id for one in (*trace["record"], *trace["write"])}
        assert attributes(write)["outcome"] in ("succeeded", "refused", "superseded", "unknown")
        calls = [one for one in trace["within"] if one.parent is not None and one.parent.span_id == write.context.span_id]
        assert [one.name for one in calls if not one.name.startswith("turn of ")], (write.name, attributes(write))
        assert all(write.start_time <= one.end_time <= write.end_time + 1_000_000 for one in calls)
    assert attempts > 10
    done = [one.event for one in followed.events.values() if isinstance(one.event.body, IntentSucceeded)]
    told = [one for one in followed.spans if one.name == "write" and attributes(one)["outcome"] == "succeeded"]
    assert len(told) == len(done)


async def test_a_chart_goes_from_its_webhook_to_the_other_system_in_one_trace(followed: Followed) -> None:
    ways = {
        (span.name, attributes(write)["write"], call.name)
        for event in followed.events
        for trace in [followed.of(event)]
        for span in trace["seen"]
        for write in trace["write"]
        for call in trace["within"]
    }
    assert ("webhook elation patients", "CreateKareoChart", "kareo.CreatePatient") in ways, sorted(ways)
    assert ("webhook elation bills", "CreateEncounter", "kareo.CreateEncounter") in ways
    # Which pass sees a new patient first, that of changes or the sweep, is decided by their clocks.
    passes = {name for name, write, _ in ways if write == "CreateElationChart"}
    assert passes & {"kareo.patients", "kareo.sweep"}, sorted(ways)


async def test_nothing_of_a_patient_is_in_a_trace(followed: Followed) -> None:
    """Names of spans and attributes are of a closed set; no value that was seeded, and no record's number."""
    assert {span.name for span in followed.spans if NAMES.fullmatch(span.name) is None} == set()
    assert {name for span in followed.spans for name in attributes(span)} <= ATTRIBUTES
    values = [str(value) for span in followed.spans for value in (*attributes(span).values(), span.name)]
    assert len(followed.day.seeded) >= 100
    assert leaks("\n".join(values), followed.day.seeded) == []
    numbers = {str(one) for system in (followed.clinic.ehr, followed.clinic.billing) for one in system.patients}
    numbers |= {str(one) for one in followed.clinic.ehr.bills}
    assert [value for value in values if value in numbers] == []
    assert not any(span.events or span.links for span in followed.spans)
    assert all(status is None for status in (span.status.description for span in followed.spans))


async def test_the_ids_of_traces_are_keyed(followed: Followed) -> None:
    observed = {one.event.id for one in followed.events.values() if one.event.origin in (Origin.EHR, Origin.BILLING)}
    assert all(is_keyed(one) for one in observed)
    assert {UUID(int=one) for one in followed.traces} <= set(followed.events)


# -- by themselves ---------------------------------------------------------------------------------------------------------


def kept() -> tuple[EventTraces, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    return EventTraces(SimpleSpanProcessor(exporter), {}), exporter


async def test_a_header_that_is_of_another_trace_or_none_at_all_leads_nowhere(followed: Followed) -> None:
    one = next(one for one in followed.events.values() if one.event.origin is Origin.EHR)
    mine, other = one.event.id.hex, uuid4().hex
    forged = [
        "",
        "00",
        f"00-{other}-{'1' * 16}-01",
        f"00-{mine}-{'0' * 16}-01",
        f"00-{mine}-{'1' * 16}-00",
        "\xff" * 55,
        f"{mine}\n",
    ]
    for header in forged:
        traces, exporter = kept()
        traces.carried(one.event, [("other", b"x"), ("traceparent", header.encode())])
        traces.recorded([one])
        (span,) = exporter.get_finished_spans()
        assert (span.name, span.parent) == ("record", None)
    traces, exporter = kept()
    traces.carried(one.event, [("traceparent", f"00-{mine}-{'1' * 16}-01".encode())])
    traces.recorded([one])
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert span.parent.span_id == int("1" * 16, 16)


async def test_a_share_is_the_same_changes_on_every_worker(followed: Followed) -> None:
    observed = [one for one in followed.events.values() if one.event.origin in (Origin.EHR, Origin.BILLING)]
    found = []
    for _ in range(2):
        exporter = InMemorySpanExporter()
        traces = EventTraces(SimpleSpanProcessor(exporter), {}, share=0.5)
        assert all(
            bool(traces.published(one.event)) == traces._followed(one.event.correlation or one.event.id) for one in observed
        )
        traces.recorded(observed)
        found.append({span.context.trace_id for span in exporter.get_finished_spans()})
    assert found[0] == found[1]
    assert 0.2 < len(found[0]) / len(observed) < 0.8


async def test_nothing_is_loaded_and_nothing_carried_where_it_is_off() -> None:
    script = (
        "import sys, daemon.cli.run, daemon.runtime.worker, daemon.demo.rehearsal;"
        "print([one for one in sys.modules if one.startswith('opentelemetry')])"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
    assert traces_of(SimpleNamespace(traces=SimpleNamespace(endpoint=""))) is UNTRACED  # type: ignore[arg-type]
    assert Meter().traces is UNTRACED
    assert UNTRACED.on is False


async def test_a_collector_elsewhere_needs_tls_and_the_packages_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_text('[traces]\nendpoint = "http://collector.example.org:4318"\n')
    assert "must be https" in problem(file)
    file.write_text('[traces]\nendpoint = "https://collector.example.org"\n')
    assert problem(file) == ""
    monkeypatch.setattr("daemon.servers.find_spec", lambda _: None)
    assert problem(file) == "traces are not installed: pip install 'chartwire[otel]'"


def problem(file: Path) -> str:
    """What is said of the collector's address."""
    with pytest.raises(ConfigError) as refused:
        load(file, SECTIONS)
    return dict(refused.value.problems).get("traces.endpoint", "")
