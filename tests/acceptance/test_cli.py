"""The commands as people run them: processes of their own, against what the clinic day left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import CHECKED
from daemon.sandbox.front_desk import STREETS
from events.schema import LinkMoved

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600
SEEDED = (*(one.lower() for one in STREETS), "mail.example", "303555", "silverpine")
"""In the values of every invented person."""


def chartwire(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "daemon", *(str(one) for one in arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)


# -- demo -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    return chartwire("demo", "--headless", "--json", "--size", 3, "--seed", 7, "--log-level", "DEBUG")


def test_demo_ends_well(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stderr


def test_demo_prints_one_json_object(demo: subprocess.CompletedProcess[str]) -> None:
    (line,) = demo.stdout.splitlines()
    report = json.loads(line)
    assert report["ok"] is True
    assert set(report["invariants"]) == set(CHECKED)
    assert {"actions", "writes", "waiting", "calls", "seconds_from_change_to_write", "seconds"} <= set(report)


def test_demos_stderr_shows_nothing_of_a_person(demo: subprocess.CompletedProcess[str]) -> None:
    """The whole process's, whatever wrote there."""
    assert "practice_taken" in demo.stderr
    assert [one for one in SEEDED if one in demo.stderr.lower()] == []


# -- check-config ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def config(played_day: PlayedDay, tmp_path: Path) -> Path:
    """A copy of the day's configuration, with its secrets, to break."""
    folder = tmp_path / "etc"
    shutil.copytree(played_day.config.parent, folder)
    return folder / played_day.config.name


def replace(file: Path, *changes: tuple[str, str]) -> None:
    """Replace the first place that each pattern matches."""
    text = file.read_text()
    for pattern, new in changes:
        text, number = re.subn(pattern, lambda _match, new=new: new, text, count=1, flags=re.MULTILINE)
        assert number == 1, pattern
    file.write_text(text)


KEY = re.compile(r"(?:postgres|kafka|keys|http|pace|practice)\S*|/\S+")


def complaints(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What a command complained about, by key (or by the file, where it is none)."""
    lines = [line.partition(": ") for line in done.stderr.splitlines()]
    return {key: text for key, _, text in lines if text and KEY.fullmatch(key)}


WRONG_SHAPE = (
    (r'^dsn = ".*"$', "pool = 4"),
    (r"^partitions = 4$", 'partitions = "four"'),
    (r"^patience = 20$", "patients = 20"),
    (r"^poll_seconds = .*$", 'poll_secs = "often"'),
    (r'^profile = "kareo-led"$', 'profile = "kareo-led"\nmode = "watch"'),
    (r'^payer_scenario = "Insurance"$', 'preference = "both"'),
)
SHAPE_KEYS = {
    "postgres.dsn",
    "kafka.partitions",
    "pace.patients",
    "practice[1].kareo.poll_secs",
    "practice[1].mode",
    "practice[1].overrides.preference",
}
WRONG_VALUES = (
    (r'^time_zone = "America/Denver"$', 'time_zone = "Mars/Olympus"'),
    (r'^profile = "kareo-led"$', 'profile = "nobody-led"'),
    (r"^\[practice\.overrides\]$", '[practice.overrides]\nbill = "kareo->elation"'),
    (r'^base_url = ".*"$', 'base_url = "http://elation.example"'),
    (r'^client_secret_file = "elm.elation"$', 'client_secret_file = "nowhere"'),
    (r'^wsdl = ".*"$', 'wsdl = "missing.wsdl"'),
    (r'^endpoint = ".*"$', 'endpoint = "ftp://kareo.example"'),
    (r'^id = "oak"$', 'id = "elm"'),
    (r'^public_url = ".*"$', 'public_url = "http://chartwire.example"'),
)
VALUE_KEYS = {
    "practice[1].time_zone",
    "practice[1].profile",
    "practice[1].overrides.bill",
    "practice[1].elation.base_url",
    "practice[1].elation.client_secret_file",
    "practice[1].kareo.wsdl",
    "practice[1].kareo.endpoint",
    "practice[2].id",
    "http.public_url",
}


@pytest.mark.parametrize(
    ("changes", "keys"), [(WRONG_SHAPE, SHAPE_KEYS), (WRONG_VALUES, VALUE_KEYS)], ids=["shape", "values"]
)
def test_check_config_names_every_wrong_key(config: Path, changes: tuple[tuple[str, str], ...], keys: set[str]) -> None:
    replace(config, *changes)
    done = chartwire("check-config", "--offline", "--config", config)
    assert done.returncode == 1
    assert set(complaints(done)) == keys
    assert done.stdout == ""


def test_check_config_names_wrong_keys_and_wrong_values_together(config: Path) -> None:
    replace(config, *WRONG_SHAPE, *WRONG_VALUES)
    assert set(complaints(chartwire("check-config", "--offline", "--config", config))) == SHAPE_KEYS | VALUE_KEYS


def test_check_config_says_what_is_wrong(config: Path) -> None:
    replace(config, *WRONG_VALUES)
    said = complaints(chartwire("check-config", "--offline", "--config", config))
    assert "https" in said["practice[1].elation.base_url"]
    assert "practice[1]" in said["practice[2].id"]
    assert "kareo-led" in said["practice[1].profile"]
    assert "elation->kareo" in said["practice[1].overrides.bill"]
    assert "America/Denver" in said["practice[1].time_zone"]


@pytest.mark.parametrize(("text", "about"), [("[postgres", "is not TOML"), (None, "no such file")])
def test_check_config_names_the_file_that_is_none(tmp_path: Path, text: str | None, about: str) -> None:
    file = tmp_path / "chartwire.toml"
    if text is not None:
        file.write_text(text)
    done = chartwire("check-config", "--config", file)
    assert done.returncode == 1
    assert about in complaints(done)[str(file)]


def test_check_config_reaches_every_server(played_day: PlayedDay) -> None:
    done = chartwire("check-config", "--config", played_day.config)
    assert (done.returncode, complaints(done)) == (0, {})
    assert "2 practices" in done.stdout


def test_check_config_names_what_cannot_be_reached(config: Path) -> None:
    """Nobody listens there; the second practice's credentials, key and name are wrong."""
    nobody = f"127.0.0.1:{free_port()}"
    replace(
        config,
        (r'^dsn = ".*"$', f'dsn = "postgresql://chartwire@{nobody}/chartwire"'),
        (r'^bootstrap_servers = ".*"$', f'bootstrap_servers = "{nobody}"'),
        (r'^base_url = ".*"$', f'base_url = "http://{nobody}"'),
        (r'^wsdl = ".*"$', f'wsdl = "http://{nobody}/KareoServices.svc?singleWsdl"'),
        (r'^practice_name = "Oak Hill Internal Medicine"$', 'practice_name = "Oak Hill"'),
    )
    (config.parent / "keys" / "oak.1.key").unlink()
    (config.parent / "oak.elation").write_text("wrong")
    done = chartwire("check-config", "--config", config)
    assert done.returncode == 1
    assert set(complaints(done)) == {
        "keys.directory",
        "postgres.dsn",
        "kafka.bootstrap_servers",
        "practice[1].elation",
        "practice[1].kareo.wsdl",
        "practice[2].elation.client_secret_file",
        "practice[2].kareo.practice_name",
    }


def test_check_config_prints_nothing_but_its_complaints(config: Path) -> None:
    replace(config, (r'^bootstrap_servers = ".*"$', f'bootstrap_servers = "127.0.0.1:{free_port()}"'))
    done = chartwire("check-config", "--config", config)
    assert set(complaints(done)) == {"kafka.bootstrap_servers"}
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_check_config_names_a_service_that_does_not_answer(config: Path) -> None:
    replace(config, (r'^endpoint = ".*"$', f'endpoint = "http://127.0.0.1:{free_port()}/x"'))
    (config.parent / "oak.kareo-password").write_text("wrong")
    done = chartwire("check-config", "--config", config)
    assert done.returncode == 1
    assert set(complaints(done)) == {"practice[1].kareo", "practice[2].kareo.password_file"}


# -- history, status ------------------------------------------------------------------------------------------------------


ALL = ("--values", "--names")


def _history(played_day: PlayedDay, chart: str, *more: str) -> subprocess.CompletedProcess[str]:
    return chartwire("history", "elm", chart, *more, "--config", played_day.config)


def _moved(played_day: PlayedDay) -> LinkMoved:
    (moved,) = [one.event.body for one in played_day.events["elm"] if isinstance(one.event.body, LinkMoved)]
    return moved


def test_history_is_the_same_from_every_id(played_day: PlayedDay) -> None:
    """From the Kareo patient, the chart that was merged away, and the one that absorbed it."""
    moved = _moved(played_day)
    told = [
        _history(played_day, one) for one in (f"kareo:{moved.billing}", f"elation:{moved.source}", f"elation:{moved.target}")
    ]
    assert [one.returncode for one in told] == [0, 0, 0]
    assert told[0].stdout == told[1].stdout == told[2].stdout


def test_history_tells_seen_decided_written_and_why(played_day: PlayedDay) -> None:
    """Searched, created, linked, merged; at last the survivor's name arrived in Kareo and was seen there."""
    moved = _moved(played_day)
    patient = played_day.clinic.billing.patients[moved.billing]
    lines = _history(played_day, f"kareo:{moved.billing}", *ALL).stdout.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d M[DS]T  #\d+ +\w+ +\S", line) for line in lines)
    sequences = [int(re.search(r"#(\d+)", line)[1]) for line in lines]  # type: ignore[index]
    assert sequences == sorted(set(sequences))
    text = "\n".join(lines)
    steps = (
        f"saw patient {patient.id} ({patient.first_name} ",
        "at work on the chart",
        "wants to create the chart in Elation",
        f"linked Elation chart {moved.source} with Kareo patient {moved.billing}",
        f"moved the link of patient {moved.billing} from chart {moved.source} to {moved.target}",
        f"saw patient {patient.id} ({patient.first_name} {patient.last_name})",
    )
    places = [text.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert re.search(r"wants .*\(because of #\d+\)", text)


def test_history_as_json_has_the_bodies(played_day: PlayedDay) -> None:
    patient = _moved(played_day).billing
    events = [json.loads(line) for line in _history(played_day, f"kareo:{patient}", "--json", *ALL).stdout.splitlines()]
    recorded = [one.sequence for one in played_day.events["elm"] if one.event.billing == patient]
    assert {one["sequence"] for one in events} >= set(recorded)
    assert all(one["body"] and one["origin"] for one in events)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("elm", "kareo:1"), 1, "nothing is recorded"),
        (("fir", "kareo:1"), 1, "not in the configuration"),
        (("elm", "501001"), 2, "elation:ID or kareo:ID"),
    ],
)
def test_history_says_why_there_is_none(played_day: PlayedDay, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = chartwire("history", *arguments, "--config", played_day.config)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_history_of_another_practices_patient_is_not_told(played_day: PlayedDay) -> None:
    patient = played_day.day.kareo_ids["oak"][0]
    assert _history(played_day, f"kareo:{patient}").returncode == 1


def test_status_counts_by_practice(played_day: PlayedDay) -> None:
    done = chartwire("status", "--config", played_day.config)
    assert done.returncode == 0
    for practice, events in played_day.events.items():
        block = re.search(rf"^{practice}: (\d+) events, epoch (\d+), owner (.*)\n((?:  .*\n)*)", done.stdout, re.MULTILINE)
        assert block is not None
        assert block[3].startswith(f"{socket.gethostname()}:{os.getpid()} in group chartwire since 20")
        assert "last complete pass: elation.catch-up " in block[4]
        assert "Kareo's limits used: " in block[4]
        assert (int(block[1]), int(block[2])) == (len(events), 1)
        waits = Counter(one["code"] for one in played_day.report["waiting"] if one["practice"] == practice)
        assert {code: int(count) for count, code in re.findall(r"^  (\d+) waiting: (\S+)$", block[4], re.MULTILINE)} == waits


def test_status_as_json_has_the_same_counts(played_day: PlayedDay) -> None:
    rows = json.loads(chartwire("status", "--json", "--config", played_day.config).stdout)
    assert {row["practice"]: row["events"] for row in rows} == {
        practice: len(events) for practice, events in played_day.events.items()
    }
    assert all(row["lag"] < 50 for row in rows), "the worker recorded what was published until it was stopped"
    for row in rows:
        assert all(0 < share <= 1 for share in row["report"]["budget"].values())
        assert {"elation.catch-up", "elation.sweep", "kareo.patients", "kareo.sweep"} <= set(row["sources"])
