"""What Prometheus is told of a day that was played: that it is there, that it is little, and that it names nobody (I9)."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from daemon.instruments import COUNTED, TIMED, Instruments
from tests.acceptance.test_telemetry import leaks

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

STATE = {
    "build_info", "worker_healthy", "database_connections", "database_connections_limit", "database_waiting", "practices",
    "passes_failing", "accounts_refused", "writes_queued", "oldest_unwritten_seconds", "messages_unrecorded", "waiting_items",
    "silent_seconds", "practice_at_work", "practice_oldest_unwritten_seconds", "practice_silent_seconds", "clock_ahead_seconds",
}  # fmt: skip


def samples(scrape: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The values of a scrape by name, each with its labels."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(scrape):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def values(scrape: str) -> list[str]:
    return [value for rows in samples(scrape).values() for labels, _ in rows for value in labels.values()]


def test_no_seeded_value_is_in_a_scrape(played_day: PlayedDay) -> None:
    """No name, birth date, phone or number of anybody in either sandbox, whatever case and form."""
    assert len(played_day.day.seeded) >= 200
    assert leaks("\n".join(values(played_day.scrape)), played_day.day.seeded) == []


def test_no_record_number_is_in_a_scrape(played_day: PlayedDay) -> None:
    """Numbers are looked for in labels' values: a count may be any number."""
    ids = {str(id_) for links in played_day.links.values() for pair in links.items() for id_ in pair}
    ids |= {str(id_) for one in (played_day.clinic.ehr.patients, played_day.clinic.ehr.bills) for id_ in one}
    ids |= {str(one) for one in played_day.clinic.billing.patients}
    assert len(ids) > 50
    told = values(played_day.scrape)
    assert [one for one in told if ids & set(re.findall(r"\d+", one))] == []


def test_everything_is_told_that_the_tables_promise(played_day: PlayedDay) -> None:
    families = {family.name for family in text_string_to_metric_families(played_day.scrape)}
    counted = {f"chartwire_{metric}" for metric, _, _ in COUNTED.values()}
    timed = {f"chartwire_{metric}" for metric, *_ in TIMED.values()}
    rest = {f"chartwire_{name}" for name in STATE | {"vendor_calls", "vendor_call_seconds", "vendor_turn_seconds"}}
    assert {name for name in families if name.startswith("chartwire_")} == counted | timed | rest


def test_a_scrape_agrees_with_the_days_report(played_day: PlayedDay) -> None:
    found, report = samples(played_day.scrape), played_day.report

    def total(name: str) -> float:
        return sum(value for _, value in found[f"chartwire_{name}"])

    assert total("refusals_total") == report["refusals"]
    assert total("conflicts_total") == report["conflicts"]
    assert total("writes_total") >= sum(sum(each.values()) for each in report["writes"].values()) > 0
    assert total("vendor_calls_total") >= sum(report["calls"].values()) > 0
    assert total("epoch_changes_total") == len(played_day.offices)
    assert {labels["state"]: value for labels, value in found["chartwire_practices"]} == {
        "owned": 2,
        "at_work": 2,
        "failing": 0,
        "not_taken": 0,
    }
    assert total("vendor_turn_seconds_count") > 0
    assert total("append_seconds_count") == total("fold_seconds_count") > 0
    assert total("change_to_write_seconds_count") > 0


def test_a_days_scrape_is_small(played_day: PlayedDay) -> None:
    """Two practices and every operation of both vendors: what grows with practices is counted in tests/integration/test_metrics_series.py."""
    assert sum(len(rows) for rows in samples(played_day.scrape).values()) < 1500


def identifying(played_day: PlayedDay) -> set[str]:
    """Names and birth dates as both sandboxes hold them, dates in every form in which either writes them."""
    charts, patients = played_day.clinic.ehr.patients.values(), played_day.clinic.billing.patients.values()
    born = [date.fromisoformat(str(one["dob"])) for one in charts] + [one.dob for one in patients if one.dob]
    found = {str(one[name]) for one in charts for name in ("first_name", "last_name")}
    found |= {name for one in patients for name in (one.first_name, one.last_name)}
    found |= {
        form for day in born for form in (str(day), f"{day.month}/{day.day}/{day.year}", f"{day:%m/%d/%Y}", f"{day:%Y%m%d}")
    }
    return {one for one in found if len(one) > 3}


def test_no_name_and_no_birth_date_of_either_sandbox_is_in_a_scrape(played_day: PlayedDay) -> None:
    told = "\n".join(values(played_day.scrape)).casefold()
    assert len(identifying(played_day)) > 60
    assert [one for one in identifying(played_day) if one.casefold() in told] == []


def test_the_search_of_a_scrape_can_fail(played_day: PlayedDay) -> None:
    """A name in a label is found by the same search."""
    leaked = Instruments()
    leaked.call(f"elation.GET /patients/?last_name={next(iter(identifying(played_day)))}", "ok", 0.1)
    told = "\n".join(values(generate_latest(leaked.registry).decode())).casefold()
    assert [one for one in identifying(played_day) if one.casefold() in told]
