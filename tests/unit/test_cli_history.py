"""A patient's history in words, what was known at a moment, and why a write was made: from the events of a whole day."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from daemon.cli import history_page
from daemon.cli.common import chart_of
from daemon.cli.ended import Ended
from daemon.cli.history import json_lines, known_lines, lines, spreadsheet
from daemon.cli.history_page import page
from daemon.history.events_of import names_charts
from daemon.history.explain import why
from daemon.operator.records import Records, records_of
from events.schema import IntentRequested, LinkMoved, Recorded
from events.writes import UpdateEhrChart
from projections.terms.names import Names
from projections.words.known import folded, known, provider_names
from projections.words.lines import Entry, about, entries
from projections.words.moment import NotAMoment, is_past, parse_moment
from projections.words.shown import EVERYTHING, Shown
from tests.unit.clinic import Clinic
from tests.unit.recording import START
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL
from tests.unit.stories import INSURED, VISIT, clinic_day

ZONE = ZoneInfo("America/Denver")
NOTHING = Shown()


def recorded(clinic: Clinic) -> list[Recorded]:
    """The day as the store would give it, the practice's own events left out."""
    return [
        Recorded(sequence=number, recorded=START + timedelta(minutes=number), event=event)
        for number, event in enumerate(clinic.events, start=1)
        if event.patient
    ]


@pytest.fixture(scope="module")
def day() -> Clinic:
    return clinic_day()


@pytest.fixture(scope="module")
def story(day: Clinic) -> list[Recorded]:
    """Ada's: linked, insured, with a conflict, bills, appointments, a merge and a deletion."""
    return [one for one in recorded(day) if one.event.patient in (ADA_KEY, "E:101", "E:103")]


def of(told: list[Entry], type_: str) -> list[Entry]:
    return [one for one in told if one.recorded.event.type == type_]


def everything_shown(story: list[Recorded], day: Clinic, shown: Shown) -> str:
    """All forms of output at once."""
    told = entries(story, day.policy, shown)
    state = known(folded(story), day.state.directory, day.policy, shown)
    asked = [one for one in story if isinstance(one.event.body, IntentRequested)]
    reasons = [why(one, story, day.state.directory, day.policy, shown) for one in asked]
    return "\n".join(
        (
            *lines(told, ZONE, Names()),
            *known_lines(state, Names()),
            json_lines(told, state, shown),
            spreadsheet(told, ZONE),
            page("x", told, state, ZONE, names=Names(), records=kept(story, day, shown)),
            *(repr(one) for one in reasons),
        )
    )


def kept(story: list[Recorded], day: Clinic, shown: Shown) -> dict[str, Records]:
    """What the history has of policies, appointments and bills."""
    patients = folded(story).patients
    return {key: records_of(one, day.state.directory, day.policy, shown) for key, one in patients.items()}


# -- what is shown ------------------------------------------------------------------------------------------------------

NAMES = ("Ada", "Byron", "Noel")
VALUES = (
    "Athens",
    "Macon",
    "Augusta",
    "30901",
    "4045550102",
    "ada@example.org",
    "1985",
    "Cough",
    "E11.9",
    "120.00",
    "XYZ123",
)


def test_by_default_neither_names_nor_values_are_shown(story: list[Recorded], day: Clinic) -> None:
    text = everything_shown(story, day, NOTHING)
    assert [one for one in (*NAMES, *VALUES) if one in text] == []


def test_values_are_shown_without_names(story: list[Recorded], day: Clinic) -> None:
    text = everything_shown(story, day, Shown(values=True))
    assert [one for one in NAMES if one in text] == []
    assert [one for one in ("Athens", "Macon", "Augusta") if one not in text] == []


def test_names_are_shown_when_asked_for(story: list[Recorded], day: Clinic) -> None:
    text = everything_shown(story, day, EVERYTHING)
    assert [one for one in (*NAMES, "Athens", "Cough") if one not in text] == []


# -- entries ------------------------------------------------------------------------------------------------------------


def test_an_observation_tells_the_fields_that_changed(story: list[Recorded], day: Clinic) -> None:
    seen = of(entries(story, day.policy, Shown(values=True)), "ElationChartObserved")
    changed = next(one for one in seen if "city" in one.fields and one.changes[0].before)
    assert set(changed.fields) == {"middle_name", "city"}
    assert changed.text == "saw chart 101: Middle name ••• → •••, City “Augusta” → “Athens”"


def test_an_observation_that_is_older_says_so() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"), observed=START - timedelta(days=1))
    (old,) = of(entries(recorded(clinic), clinic.policy, NOTHING), "KareoChartObserved")[1:]
    assert old.text == "saw patient 901: nothing newer than what was known"
    assert old.fields == ()


def test_rows_lead_from_change_to_request_to_attempt_to_answer(story: list[Recorded], day: Clinic) -> None:
    told = entries(story, day.policy, NOTHING)
    by_sequence = {one.recorded.sequence: one for one in told}
    done = [one for one in of(told, "IntentSucceeded") if one.cause in by_sequence]
    assert len(done) == len(of(told, "IntentSucceeded")) > 10
    for one in done:
        request = by_sequence[one.cause or 0]
        assert (request.recorded.event.type, request.intent) == ("IntentRequested", one.intent)
        assert request.cause is not None
        assert request.cause < request.recorded.sequence < one.recorded.sequence


def test_a_field_has_only_what_concerns_it(story: list[Recorded], day: Clinic) -> None:
    told = about(entries(story, day.policy, NOTHING), "city")
    types = {one.recorded.event.type for one in told}
    assert types >= {"ElationChartObserved", "KareoChartObserved", "ConflictRecorded", "IntentRequested", "IntentSucceeded"}
    assert types.isdisjoint({"KareoAppointmentObserved", "BillObserved", "LinkSuspended"})
    for one in told:
        if isinstance(one.recorded.event.body, IntentRequested):
            assert "city" in one.recorded.event.body.write.fields  # type: ignore[union-attr]


def test_a_conflict_names_the_winner(story: list[Recorded], day: Clinic) -> None:
    (told,) = of(entries(story, day.policy, Shown(values=True)), "ConflictRecorded")
    assert told.text == "conflict in City: was “Augusta”, Elation “Athens”, Kareo “Macon”, Kareo wins"


def test_every_kind_of_event_has_words(day: Clinic) -> None:
    for shown in (NOTHING, EVERYTHING):
        for one in entries(recorded(day), day.policy, shown):
            assert len(one.text.split()) > 1, one.recorded.event.type


def test_a_link_that_moved_ties_three_charts(day: Clinic) -> None:
    (moved,) = [one for one in day.events if isinstance(one.body, LinkMoved)]
    assert names_charts(moved) == ({101, 103}, {901})


# -- what was known -----------------------------------------------------------------------------------------------------


def test_what_was_known_before_and_after_a_conflict() -> None:
    clinic = Clinic()
    clinic.linked(there=INSURED)
    clinic.carry_out_all()
    before = len(clinic.events)
    clinic.billing(replace(INSURED, city="Macon"))
    clinic.ehr(replace(ADA, city="Athens"))
    story = recorded(clinic)

    def city(moment: int) -> tuple[str, str, str | None, str]:
        past = [one for one in story if is_past(one, moment)]
        (one,) = known(folded(past), clinic.state.directory, clinic.policy, Shown(values=True))
        field = next(field for field in one.fields if field.field == "city")
        return field.ehr, field.billing, field.base, field.verdict

    assert city(before) == ("Augusta", "Augusta", "Augusta", "agree")
    assert city(len(clinic.events))[:3] == ("Athens", "Macon", "Augusta")
    assert "both sides changed it, to be written to Elation (both ways)" in city(len(clinic.events))[3]


def test_what_is_open_and_waits_is_known() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.bill(replace(GOOD_BILL, deferred=True))
    clinic.appointment(VISIT)
    (one,) = known(folded(recorded(clinic)), clinic.state.directory, clinic.policy, NOTHING)
    assert [(slot, state) for slot, state, _ in one.intents] == [("appointment:7001", "requested")]
    assert ("bill:4001", "deferred") in [(slot, code) for slot, code, _ in one.waiting]
    assert (one.patient, one.ehr, one.billing, one.link) == (ADA_KEY, 101, 901, "linked")


# -- why ----------------------------------------------------------------------------------------------------------------


def test_a_write_is_explained_with_what_was_known_when_it_was_decided() -> None:
    clinic = Clinic()
    clinic.linked(there=INSURED)
    clinic.billing(replace(INSURED, city="Macon"))
    clinic.refuse(ADA_KEY, "demographics:elation", text="city Macon is unknown", code="400")
    clinic.ehr(replace(ADA, city="Athens"))
    story = recorded(clinic)
    request = next(
        one
        for one in story
        if isinstance(one.event.body, IntentRequested) and isinstance(one.event.body.write, UpdateEhrChart)
    )
    told = why(request, story, clinic.state.directory, clinic.policy, EVERYTHING)
    assert told.outcome in ("refused", "superseded")
    assert told.rule == "guide: Demographics (demographics: both)"
    assert told.write == "to set City to “Macon” in Elation"
    (city,) = told.fields
    assert (city.field, city.ehr, city.billing, city.base) == ("city", "Augusta", "Macon", "Augusta")
    assert "one side changed it, to be written to Elation" in city.verdict
    assert [step.type for step in told.steps][:2] == ["IntentAttempted", "IntentRefused"]
    assert told.steps[1].answer == "city Macon is unknown"
    assert all(step.sequence > told.request.sequence for step in told.steps)
    for shown in (NOTHING, Shown(names=True)):
        assert "Macon" not in repr(why(request, story, clinic.state.directory, clinic.policy, shown))
    quoted = why(request, story, clinic.state.directory, clinic.policy, Shown(values=True))
    assert "is unknown" not in repr(quoted), "a vendor may quote a name"


# -- forms --------------------------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        self.loaded += [name for name in ("src", "srcset", "action", "background", "data") if name in found]


def test_the_page_is_self_contained_and_its_rows_lead_to_each_other(story: list[Recorded], day: Clinic) -> None:
    told = entries(story, day.policy, EVERYTHING)
    html = page("Ada", told, known(folded(story), day.state.directory, day.policy, EVERYTHING), ZONE, names=Names())
    parsed = _Page()
    parsed.feed(html)
    assert parsed.ids == [f"e{one.recorded.sequence}" for one in told]
    assert parsed.links
    assert all(one.removeprefix("#") in parsed.ids for one in parsed.links)
    assert parsed.loaded == []
    assert {"script", "img", "iframe", "link"}.isdisjoint(parsed.tags)
    assert not re.search(r"url\(|@import|https?:", html)
    done = of(told, "IntentSucceeded")[0]
    row = next(line for line in html.splitlines() if f'id="e{done.cause}"' in line)
    assert f'href="#e{done.recorded.sequence}"' in row


def morning() -> tuple[list[Recorded], Clinic]:
    """Ada's, before her insurance ended: policies in both systems, an appointment, a bill."""
    clinic = Clinic()
    clinic.linked(there=INSURED)
    clinic.appointment(VISIT)
    clinic.bill(GOOD_BILL)
    clinic.carry_out_all()
    return [one for one in recorded(clinic) if one.event.patient == ADA_KEY], clinic


def test_the_page_has_insurance_appointments_and_bills_and_names_providers() -> None:
    story, clinic = morning()
    state = known(folded(story), clinic.state.directory, clinic.policy, EVERYTHING)
    records, providers = kept(story, clinic, EVERYTHING), provider_names(clinic.state.directory, Names())
    html = page("Ada", [], state, ZONE, names=Names(), records=records, providers=providers)
    for title, values in {
        "Insurance": ("XYZ123", 'In">Elation', 'In">Kareo'),
        "Appointments": ("Cough",),
        "Bills": ("E11.9",),
    }.items():
        part = html.partition(f"<h2>{title}</h2>")[2].partition("</table>")[0]
        assert [one for one in values if one not in part] == [], title
    provider = html.partition("<b>Primary provider")[2].partition("</tr>")[0]
    assert [one for one in providers.values() if one in provider]
    assert {one.name for one in records.values()} == {"Byron, Ada"}


@pytest.mark.parametrize(("shown", "hidden"), [(NOTHING, (*NAMES, *VALUES)), (Shown(values=True), NAMES)])
def test_insurance_appointments_and_bills_show_no_more_than_is_asked_for(shown: Shown, hidden: tuple[str, ...]) -> None:
    story, clinic = morning()
    records = kept(story, clinic, shown)
    html = page("x", [], [], ZONE, names=Names(), records=records) + repr(records["K:901"].policies) + records["K:901"].name
    html += "".join(history_page._records(one, ZONE, Names()) for one in records.values())
    assert "<h2>Insurance</h2>" in html
    assert [one for one in hidden if one in html] == []


def test_the_page_escapes_what_a_record_holds() -> None:
    clinic = Clinic()
    evil = '<script>alert("x")</script>'
    clinic.linked(chart=replace(ADA, city=evil), there=replace(ADA_THERE, city=evil))
    story = recorded(clinic)
    told = entries(story, clinic.policy, EVERYTHING)
    html = page(evil, told, known(folded(story), clinic.state.directory, clinic.policy, EVERYTHING), ZONE, names=Names())
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_spreadsheet_has_a_line_an_event_and_no_formulas(story: list[Recorded], day: Clinic) -> None:
    told = entries(story, day.policy, EVERYTHING)
    told.append(Entry(told[0].recorded, '=HYPERLINK("x")'))
    rows = list(csv.DictReader(io.StringIO(spreadsheet(told, ZONE))))
    assert [int(row["sequence"]) for row in rows] == [one.recorded.sequence for one in told]
    assert rows[-1]["text"] == '\'=HYPERLINK("x")'
    assert datetime.fromisoformat(rows[0]["recorded"]) == told[0].recorded.recorded


def test_json_holds_bodies_only_when_all_may_be_shown(story: list[Recorded], day: Clinic) -> None:
    for shown, bodies in ((NOTHING, False), (Shown(names=True), False), (EVERYTHING, True)):
        first = json.loads(json_lines(entries(story, day.policy, shown), [], shown).splitlines()[0])
        assert ("body" in first) is bodies


# -- moments ------------------------------------------------------------------------------------------------------------


def test_moments() -> None:
    assert parse_moment("12", ZONE) == parse_moment("#12", ZONE) == 12
    assert parse_moment("2026-03-02T14:30", ZONE) == datetime(2026, 3, 2, 21, 30, tzinfo=UTC)
    assert parse_moment("2026-03-02T14:30:00+00:00", ZONE) == datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    assert parse_moment("2026-03-02", ZONE) == datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
    assert parse_moment("3/2/2026", ZONE) == parse_moment("03/02/2026 12:00 AM", ZONE) == parse_moment("2026-03-02", ZONE)
    assert (
        parse_moment("3/2/2026 2:30 PM", ZONE)
        == parse_moment("3/2/2026 14:30", ZONE)
        == parse_moment("2026-03-02T14:30", ZONE)
    )
    assert parse_moment("3/2/2026 12:05 pm", ZONE) == parse_moment("2026-03-02T12:05", ZONE)
    for wrong in ("13/2/2026", "3/2/26", "3/2/2026 14:30 PM", "3/2/2026 0:30 AM", "3/2/2026 2:61 PM"):
        with pytest.raises(NotAMoment):
            parse_moment(wrong, ZONE)
    with pytest.raises(NotAMoment, match="neither a sequence number nor an ISO time"):
        parse_moment("yesterday", ZONE)


@pytest.mark.parametrize("text", ["901", "kareo:", "kareo:x", "tebra:1", "kareo:-1", "kareo:²"])
def test_what_is_no_chart(text: str) -> None:
    with pytest.raises(Ended, match="elation:ID or kareo:ID"):
        chart_of(text, Names())
