"""`chartwire listen` on what the clinic day left in the topic: all that the store holds, each event once, in order."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

ROOT = Path(__file__).resolve().parents[2]


def heard(played_day: PlayedDay, count: int, *arguments: str) -> list[dict[str, Any]]:
    """The first `count` lines; it listens until it is stopped."""
    command = [sys.executable, "-m", "daemon", "listen", *arguments, "--config", str(played_day.config)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            return [json.loads(line) for line in islice(process.stdout, count)]
        finally:
            process.terminate()


def test_everything_recorded_is_heard_once_and_in_order(played_day: PlayedDay) -> None:
    lines = heard(played_day, sum(len(events) for events in played_day.events.values()))
    for practice, events in played_day.events.items():
        mine = [one for one in lines if one["practice"] == practice]
        assert [(one["sequence"], one["event_id"]) for one in mine] == [(one.sequence, str(one.event.id)) for one in events]
    assert not any("body" in one for one in lines), "bodies are patients' data: only when asked for"


def test_one_practices_bodies_when_asked_for(played_day: PlayedDay) -> None:
    practice, events = next(iter(played_day.events.items()))
    lines = heard(played_day, 50, practice, "--bodies")
    assert [one["body"] for one in lines] == [json.loads(msgspec.json.encode(one.event.body)) for one in events[:50]]
