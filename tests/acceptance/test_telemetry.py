"""Logs carry no patient's data (DESIGN, I9): the day's whole log is searched, and then every way out is tried on purpose."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from daemon.telemetry import ALLOWED_KEYS, Repeats

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

SECRET = "Abernathy-Quillfeather"


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def leaks(log: str, values: set[str]) -> list[str]:
    """The seeded values that occur in a log: whole, in any case, and as digits only where they are a number."""
    text, numbers = log.casefold(), {digits(run) for run in re.findall(r"\+?[\d() .-]{7,}", log)}
    found = [value for value in values if value.casefold() in text]
    return found + [value for value in values if len(digits(value)) >= 10 and any(digits(value) in run for run in numbers)]


# -- the day's log --------------------------------------------------------------------------------------------------------


def test_no_seeded_value_is_in_the_log(played_day: PlayedDay) -> None:
    assert len(played_day.day.seeded) >= 200
    assert leaks(played_day.log, played_day.day.seeded) == []


def test_no_record_number_is_in_the_log(played_day: PlayedDay) -> None:
    """Ids of charts and patients are identifiers of people too."""
    ids = {str(id_) for links in played_day.links.values() for pair in links.items() for id_ in pair}
    assert leaks(played_day.log, ids) == []


def test_no_credential_is_in_the_log(played_day: PlayedDay) -> None:
    secrets = {f"{kind}-{office.id}" for office in played_day.offices for kind in ("secret", "password", "key")}
    assert leaks(played_day.log, secrets) == []


def test_log_says_what_happened(played_day: PlayedDay) -> None:
    """An empty log would keep every secret: the practices were taken, and the refusals of the day are there."""
    entries = [json.loads(line) for line in played_day.log.splitlines()]
    events = [one["event"] for one in entries]
    assert {one["practice"] for one in entries if one["event"] == "practice_taken"} == {"elm", "oak"}
    assert events.count("write_refused") == played_day.report["refusals"]
    assert {key for one in entries for key in one} <= ALLOWED_KEYS


def test_nothing_that_identifies_is_in_a_waiting_items_reason(played_day: PlayedDay) -> None:
    """Reasons go to the report and to Elation's users: they name fields and lines, not people."""
    reasons = "\n".join(one["reason"] for one in played_day.report["waiting"])
    assert leaks(reasons, played_day.day.seeded) == []


def test_search_finds_what_it_looks_for() -> None:
    log = '{"event": "patient ABERNATHYAX seen", "path": "(303) 555-1004"}'
    assert leaks(log, {"Abernathyax", "Lindqvistbe"}) == ["Abernathyax"]
    assert leaks(log, {"3035551004", "3035551005"}) == ["3035551004"]


# -- trying to leak -------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def logged(file: Path, logged_to: Callable[[Path], AbstractContextManager[None]]) -> AbstractContextManager[None]:
    """Configured as the daemon's log is, into `file`."""
    return logged_to(file)


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_unlisted_keys_are_dropped(file: Path, logged: AbstractContextManager[None]) -> None:
    with logged:
        structlog.get_logger().info("chart_seen", last_name=SECRET, record={"name": SECRET}, practice="elm", count=3)
    (line,) = _lines(file)
    assert SECRET not in file.read_text()
    assert {key: line[key] for key in ("event", "practice", "count")} == {
        "event": "chart_seen",
        "practice": "elm",
        "count": 3,
    }


def test_bound_values_are_dropped_too(file: Path, logged: AbstractContextManager[None]) -> None:
    with logged:
        structlog.get_logger().bind(patient=SECRET, practice="elm").warning("write_refused")
    assert SECRET not in file.read_text()
    assert _lines(file)[0]["practice"] == "elm"


@pytest.mark.parametrize("given", ["exception", "exc_info", "instance", "tuple"])
def test_exceptions_text_is_dropped(file: Path, logged: AbstractContextManager[None], given: str) -> None:
    """Only its type is told; in every way in which one may be handed over."""
    with logged:
        log = structlog.get_logger()
        try:
            raise LookupError(f"no chart of {SECRET}")
        except LookupError as error:
            match given:
                case "exception":
                    log.exception("lookup_failed")
                case "exc_info":
                    log.error("lookup_failed", exc_info=True)
                case "instance":
                    log.error("lookup_failed", exc_info=error, error=error, stack_info=True)
                case "tuple":
                    log.error("lookup_failed", exc_info=(type(error), error, error.__traceback__))
    assert SECRET not in file.read_text()
    assert [one["event"] for one in _lines(file)] == ["lookup_failed"]


@pytest.mark.parametrize("given", ["exception", "exc_info", "instance"])
def test_exceptions_type_is_told(file: Path, logged: AbstractContextManager[None], given: str) -> None:
    with logged:
        try:
            raise LookupError(SECRET)
        except LookupError as error:
            structlog.get_logger().error("lookup_failed", exc_info=error if given == "instance" else True)
    assert _lines(file)[0]["error_type"] == "LookupError"


def test_what_repeats_is_said_once_a_minute_with_its_count() -> None:
    """PostgreSQL away: two practices asked five times a second, 630 lines a minute once."""
    now, lines = 0.0, []
    said = Repeats(lambda: now)

    def warn(**values: object) -> None:
        with contextlib.suppress(structlog.DropEvent):
            lines.append(said(None, "warning", {"event": "ownership_unknown", "level": "warning", **values}))

    for _ in range(600):
        for practice in ("elm", "oak"):
            warn(practice=practice, error_type="ConnectionRefusedError")
        now += 0.2
    assert [(one["practice"], one.get("repeated")) for one in lines] == [
        ("elm", None), ("oak", None), ("elm", 299), ("oak", 299),
    ]  # fmt: skip
    warn(practice="elm", error_type="InvalidPasswordError")
    assert lines[-1]["error_type"] == "InvalidPasswordError", "another cause is another line"


def test_what_comes_at_growing_pauses_and_what_is_no_trouble_is_said_each_time(
    file: Path, logged: AbstractContextManager[None]
) -> None:
    with logged:
        for attempt in (1, 2):
            structlog.get_logger().info("practice_taken", practice="elm")
            structlog.get_logger().warning("pass_failed", practice="elm", attempt=attempt)
            structlog.get_logger().warning("report_not_kept", error_type="OSError")
    assert [one["event"] for one in _lines(file)] == [
        "practice_taken", "pass_failed", "report_not_kept", "practice_taken", "pass_failed",
    ]  # fmt: skip


@pytest.mark.parametrize("library", ["aiokafka.consumer.fetcher", "aiohttp.server", "zeep.transports", "asyncio"])
def test_other_libraries_are_reported_without_their_text(
    file: Path, logged: AbstractContextManager[None], library: str
) -> None:
    with logged:
        other = logging.getLogger(library)
        other.warning("cannot decode value %s", SECRET)
        try:
            raise ValueError(SECRET)
        except ValueError:
            other.exception("failed at %r", {"name": SECRET})
        other.error(f"http://elation.example/patients/?last_name={SECRET}", extra={"value": SECRET})
    assert SECRET not in file.read_text()
    assert [(one["event"], one["source"]) for one in _lines(file)] == [("library_reported", library)] * 3


def test_other_libraries_debugging_stays_silent(file: Path, logged: AbstractContextManager[None]) -> None:
    """zeep and aiokafka would quote whole messages there."""
    with logged:
        logging.getLogger("zeep.transports").debug("HTTP POST %s", SECRET)
        logging.getLogger("aiokafka").info("fetched %s", SECRET)
    assert file.read_text() == ""


def test_values_of_listed_keys_are_plain(file: Path, logged: AbstractContextManager[None]) -> None:
    """A mapping under a listed key cannot carry fields of its own."""
    with logged:
        structlog.get_logger().info("page_read", count=2, seconds=0.5, page=None, resource=["patients"])
    line = _lines(file)[0]
    assert all(isinstance(value, str | int | float | None) for value in line.values())


def test_listed_keys_name_nothing_of_a_person() -> None:
    words = {word for key in ALLOWED_KEYS for word in key.split("_")}
    personal = {
        "name",
        "first",
        "last",
        "dob",
        "birth",
        "phone",
        "email",
        "street",
        "city",
        "ssn",
        "member",
        "patient",
        "chart",
    }
    assert words & personal == set()
