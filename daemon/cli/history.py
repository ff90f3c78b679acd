"""`chartwire history PRACTICE CHART`: one patient's timeline from the events: seen, decided, written, refused, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from daemon.cli.common import add_config, configured, opened, run_async
from daemon.timeline import describe
from events.ids import PracticeId
from events.schema import ChartLinked, ChartUnlinked, LinkMoved, Recorded
from events.store import Store


def register(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("history", help="a patient's sync history, from the events")
    parser.add_argument("practice", help="the practice's id")
    parser.add_argument("chart", help="elation:ID or kareo:ID")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, bodies included (patients' data!)")
    add_config(parser)
    parser.set_defaults(handler=history)


def history(arguments: argparse.Namespace) -> int:
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    practice = next((one for one in config.practice if one.id == arguments.practice), None)
    if practice is None:
        print(f"practice: {arguments.practice} is not in the configuration", file=sys.stderr)
        return 1
    system, _, number = arguments.chart.partition(":")
    if system not in ("elation", "kareo") or not number.isdigit():
        print("chart: must be elation:ID or kareo:ID", file=sys.stderr)
        return 2

    async def work() -> int:
        async with opened(config, beside) as store:
            events = await patient_events(store, PracticeId(practice.id), system, int(number))
        if not events:
            print(f"nothing is recorded about {arguments.chart} in {practice.id}", file=sys.stderr)
            return 1
        if arguments.json:
            for recorded in events:
                print(msgspec.json.encode(_as_json(recorded)).decode())
        else:
            zone = ZoneInfo(practice.time_zone)
            print("\n".join(lines(events, zone)))
        return 0

    return run_async(work())


async def patient_events(store: Store, practice: PracticeId, system: str, number: int) -> list[Recorded]:
    """All events about a chart and about whatever it was ever linked with, in order, from either id."""
    elation: set[int] = {number} if system == "elation" else set()
    kareo: set[int] = {number} if system == "kareo" else set()
    while True:
        found: list[Recorded] = [
            one async for one in _all(store.read_chart(practice, elation=sorted(elation), kareo=sorted(kareo)))
        ]
        more_elation, more_kareo = set(elation), set(kareo)
        for recorded in found:
            body = recorded.event.body
            if isinstance(body, ChartLinked | ChartUnlinked):
                more_elation.add(body.elation)
                more_kareo.add(body.kareo)
            elif isinstance(body, LinkMoved):
                more_elation |= {body.source, body.target}
        if (more_elation, more_kareo) == (elation, kareo):
            return found
        elation, kareo = more_elation, more_kareo


async def _all(events: AsyncIterator[Recorded]) -> AsyncIterator[Recorded]:
    async for one in events:
        yield one


def lines(events: list[Recorded], zone: ZoneInfo) -> list[str]:
    """The timeline as text: local time, sequence, who, what; causes by sequence."""
    sequence_of = {recorded.event.id: recorded.sequence for recorded in events}
    text: list[str] = []
    for recorded in events:
        event = recorded.event
        local: datetime = recorded.recorded.astimezone(zone)
        cause = sequence_of.get(event.cause) if event.cause else None
        because = f"  (because of #{cause})" if cause else ""
        text.append(
            f"{local:%Y-%m-%d %H:%M:%S}  #{recorded.sequence:<6} {event.origin.value:<9} {describe(event.body)}{because}"
        )
    return text


def _as_json(recorded: Recorded) -> dict[str, object]:
    event = recorded.event
    return {
        "sequence": recorded.sequence,
        "recorded": recorded.recorded,
        "id": event.id,
        "type": event.type,
        "origin": event.origin,
        "elation": event.elation,
        "kareo": event.kareo,
        "cause": event.cause,
        "body": event.body,
    }
