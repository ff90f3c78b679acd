"""The audit commands as people run them, against what the clinic day left behind: replay, explain, archives, what-if."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from events.ids import IntentId
from events.records import type_of
from events.schema import ConflictRecorded, IntentRefused, IntentRequested, IntentSucceeded, LinkMoved, Recorded
from events.writes import CreateEncounter, MarkBillError, Resource, System
from tests.acceptance.test_cli import SEEDED, chartwire

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)


def run(played_day: PlayedDay, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = chartwire(*arguments, "--config", played_day.config)
    assert done.returncode == code, done.stderr
    return done


def of(played_day: PlayedDay, kind: type, practice: str = "elm") -> list[Recorded]:
    return [one for one in played_day.events[practice] if isinstance(one.event.body, kind)]


@pytest.mark.parametrize("practice", ["elm", "oak"])
def test_the_day_replays_byte_for_byte(played_day: PlayedDay, practice: str) -> None:
    out = run(played_day, "replay", practice, "--verify").stdout
    assert f"equal, byte for byte: {len(played_day.events[practice])} events" in out
    assert re.search(r"^projections sha256 [0-9a-f]{64}$", out, re.MULTILINE)


def test_one_chart_replays_from_either_id_and_as_of_a_moment(played_day: PlayedDay) -> None:
    billing, ehr = next(iter(played_day.links["elm"].items()))
    told = [
        run(played_day, "replay", "elm", "--chart", chart, "--verify").stdout
        for chart in (f"kareo:{billing}", f"elation:{ehr}")
    ]
    assert all("equal, byte for byte" in one for one in told)
    assert told[0].splitlines()[1:] == told[1].splitlines()[1:]
    half = len(played_day.events["elm"]) // 2
    assert f"as of #{half} of " in run(played_day, "replay", "elm", "--as-of", half).stdout


def test_history_shows_no_person_unless_asked(played_day: PlayedDay) -> None:
    moved = of(played_day, LinkMoved)[0].event.body
    assert isinstance(moved, LinkMoved)
    person = played_day.clinic.billing.patients[moved.billing]
    for form in ((), ("--json",), ("--csv",), ("--html",), ("--as-of", "2099-01-01")):
        text = run(played_day, "history", "elm", f"kareo:{moved.billing}", *form).stdout
        assert str(moved.target) in text
        for value in (person.first_name, person.last_name, *SEEDED):
            assert value.lower() not in text.lower(), (form, value)


def test_history_of_a_field_as_a_table(played_day: PlayedDay) -> None:
    (conflict,) = of(played_day, ConflictRecorded)[:1]
    out = run(played_day, "history", "elm", f"kareo:{conflict.event.billing}", "--field", "city", "--csv", "--values").stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    assert str(conflict.sequence) in [row["sequence"] for row in rows]
    assert all("city" in row["fields"].split() for row in rows)
    assert "Elationtown" in out
    assert "Kareoville" in out


def test_what_was_known_before_and_after_a_conflict(played_day: PlayedDay) -> None:
    """In words, by time of recording in the practice's own zone."""
    (conflict,) = of(played_day, ConflictRecorded)[:1]
    chart = f"kareo:{conflict.event.billing}"
    before = run(played_day, "history", "elm", chart, "--as-of", f"#{conflict.sequence - 1}", "--values").stdout
    assert re.search(
        r"City: +Elation “Elationtown”, Kareo “Kareoville”, last agreed “Silverpine” \(differ: both sides", before
    )
    now = run(played_day, "history", "elm", chart, "--as-of", "2099-01-01T00:00", "--values").stdout
    assert re.search(r"City: +Elation “Kareoville”, Kareo “Kareoville”, last agreed “Kareoville” \(agree\)", now)


def test_a_conflicts_field_is_explained(played_day: PlayedDay) -> None:
    (conflict,) = of(played_day, ConflictRecorded)[:1]
    out = run(played_day, "explain", "elm", f"kareo:{conflict.event.billing}", "city", "--values").stdout
    assert "last agreed “Kareoville” (agree)" in out, out
    assert f"#{conflict.sequence} conflict in City: was “Silverpine”" in out
    assert "before City: Elation “Elationtown”, Kareo “Kareoville”, last agreed “Silverpine”" in out
    assert "rule   Demographics, both ways" in out
    assert str(conflict.event.id) in out


def test_a_refused_bill_is_explained_from_any_of_its_events(played_day: PlayedDay) -> None:
    refused = of(played_day, IntentRefused)[0]
    intent: IntentId = refused.event.body.intent  # type: ignore[union-attr]
    (request,) = [one for one in of(played_day, IntentRequested) if one.event.body.intent == intent]  # type: ignore[union-attr]
    told = [
        run(played_day, "explain", "elm", what, "--values", "--names").stdout
        for what in (intent, f"#{request.sequence}", refused.sequence)
    ]
    assert told[0] == told[1] == told[2]
    body = refused.event.body
    assert isinstance(body, IntentRefused)
    assert f"asked  #{request.sequence} " in told[0]
    assert f"then   #{refused.sequence} refused" in told[0]
    assert f"answer {body.raw or body.text}" in told[0]
    assert "cause  #" in told[0]
    shown = json.loads(run(played_day, "explain", "elm", intent, "--json").stdout)
    assert (shown["rule"], shown["outcome"]) == (request.event.body.rule, "superseded")  # type: ignore[union-attr]
    assert body.raw not in json.dumps(shown)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("explain", "elm", "nothing"), 1, "no intent"),
        (("explain", "elm", "kareo:1"), 2, "a chart and a field"),
        (("explain", "elm", "kareo:1", "shoe_size"), 2, "field: unknown"),
        (("history", "elm", "kareo:1", "--as-of", "soon"), 2, "ISO time"),
        (("replay", "elm", "--rebuild", "--as-of", "3"), 2, "--rebuild"),
        (("audit", "verify", "fir"), 1, "neither"),
    ],
)
def test_what_is_wrong_is_said(played_day: PlayedDay, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in run(played_day, *arguments, code=code).stderr


def test_the_days_chain_holds_against_a_checkpoint(played_day: PlayedDay, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.json"
    run(played_day, "audit", "checkpoint", "--out", file)
    assert {one["practice"]: one["sequence"] for one in json.loads(file.read_text())["marks"]} == {
        practice: len(events) for practice, events in played_day.events.items()
    }
    out = run(played_day, "audit", "verify", "--checkpoint", file).stdout
    for practice, events in played_day.events.items():
        assert f"{practice}: {len(events)} events as they were recorded, 1 marks of the checkpoint hold" in out
    file.write_text(re.sub(r'"chain": "..', '"chain": "00', file.read_text()))
    assert "is not what the checkpoint says" in run(played_day, "audit", "verify", "--checkpoint", file, code=1).stderr


def test_an_archive_verifies_and_replays_without_the_installation(played_day: PlayedDay, tmp_path: Path) -> None:
    """No configuration, database or key folder: the file and its passphrase."""
    file, phrase = tmp_path / "elm.archive", tmp_path / "phrase"
    phrase.write_text("correct horse battery staple\n")
    unlock = ("--passphrase-file", phrase)
    run(played_day, "export", "elm", "--out", file, *unlock)
    content = file.read_bytes()
    assert (file.stat().st_mode & 0o777, b"practice" in content, b"Observed" in content) == (0o600, False, False)
    assert "exists already" in run(played_day, "export", "elm", "--out", file, *unlock, code=2).stderr
    there = ("--archive", file, *unlock, "--config", tmp_path / "none.toml")
    verified = chartwire("audit", "verify", *there)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert f"elm: {len(played_day.events['elm'])} events as they were recorded" in verified.stdout
    replayed = chartwire("replay", "elm", *there)
    assert replayed.stdout == run(played_day, "replay", "elm").stdout
    phrase.write_text("correct house battery staple\n")
    wrong = chartwire("audit", "verify", *there)
    assert (wrong.returncode, "does not open with this passphrase" in wrong.stderr) == (1, True)


def test_a_rebuild_of_the_days_projections_changes_nothing(played_day: PlayedDay) -> None:
    before = run(played_day, "replay", "oak").stdout
    assert run(played_day, "replay", "oak", "--rebuild").stdout.startswith(before)
    assert "equal, byte for byte" in run(played_day, "replay", "oak", "--verify").stdout


def what_if(played_day: PlayedDay, tmp_path: Path, text: str, *more: str) -> dict[str, object]:
    file = tmp_path / "other.toml"
    file.write_text(text)
    found: dict[str, object] = json.loads(run(played_day, "what-if", "elm", "--policy", file, "--json", *more).stdout)
    return found


def done(played_day: PlayedDay) -> list[IntentRequested]:
    """Writes that were carried out on the day."""
    ended = {one.event.body.intent for one in of(played_day, IntentSucceeded)}  # type: ignore[union-attr]
    return [body for one in of(played_day, IntentRequested) if (body := one.event.body).intent in ended]  # type: ignore[union-attr, misc]


def test_the_days_own_policy_would_have_written_the_same(played_day: PlayedDay, tmp_path: Path) -> None:
    found = what_if(played_day, tmp_path, "")
    writes = [one for one in done(played_day) if not type_of(one.write).startswith("Search")]
    assert (found["writes"], found["same"]) == ([], len(writes))


def test_without_bills_none_would_have_been_sent(played_day: PlayedDay, tmp_path: Path) -> None:
    found = what_if(played_day, tmp_path, '[overrides]\nbill = "off"\n')
    billing = [one for one in done(played_day) if one.resource is Resource.BILL]
    sent = [one for one in billing if isinstance(one.write, CreateEncounter)]
    errors = [one for one in billing if isinstance(one.write, MarkBillError)]
    assert len(sent) > 3
    to_billing = [one for one in billing if one.system is System.BILLING]
    assert found["counts"]["not made"]["bill to kareo"] == len(to_billing)  # type: ignore[index]
    slots = [one["slot"] for one in found["writes"]]  # type: ignore[attr-defined]
    assert {one.slot for one in [*sent, *errors]} <= set(slots)
    assert {one["resource"] for one in found["writes"] if one["system"] == "kareo"} == {"bill"}  # type: ignore[attr-defined]
