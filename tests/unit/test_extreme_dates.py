"""No date ends anything: vendors' empty dates are none, the year 9999 has no end."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.tables.rows import patient_row
from daemon.vendors.elation import translate as elation
from daemon.vendors.elation import wire
from daemon.vendors.kareo import rows, values
from daemon.vendors.kareo.values import BadValue
from daemon.vendors.ports.errors import Malformed
from events.calendar import in_zone, local_day, shifted
from events.records import BillingCase
from events.terms import PolicyTerms
from events.watermarks import read_watermark
from events.writes import SyncPolicies, System
from projections.rules.fields import DEMOGRAPHICS
from projections.rules.insurance import in_force, next_revisit
from projections.rules.policies import policy_terms
from projections.state.patient import BillingSide
from projections.terms.codecs import NO_DAYS, Unfit, is_no_birth, known_day, last_day
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_THERE, BLUE, GOOD_BILL
from tests.unit.stories import VISIT
from tests.unit.test_kareo_values import row as row_of

EDGES = [date.min, date(1, 1, 2), date(1900, 1, 1), date(1900, 1, 2), date(9998, 12, 31), date(9999, 1, 1), date.max]
NONE = sorted(NO_DAYS)
DAYS = st.sampled_from(EDGES) | st.dates()
MAYBE = st.none() | DAYS
ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "America/Denver", "Pacific/Kiritimati", "Pacific/Pago_Pago")])
OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
MOMENTS = st.builds(
    datetime.combine, DAYS, st.sampled_from([datetime.min.time(), datetime.max.time()]), OFFSETS
) | st.datetimes(timezones=OFFSETS)
ANY_START = MOMENTS.map(lambda moment: in_zone(moment, ZoneInfo("UTC")))
READ = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


@given(moment=MOMENTS, days=st.integers(-(10**6), 10**6), zone=ZONES)
def test_a7_arithmetic_stays_inside_the_calendar(moment: datetime, days: int, zone: ZoneInfo) -> None:
    by = timedelta(days=days)
    for one in (moment, moment.date()):
        later = shifted(one, by)
        assert later >= one if days >= 0 else later <= one
    in_zone(moment, zone)
    local_day(moment, zone)
    read_watermark(moment.isoformat(), NOW)


@pytest.mark.parametrize("day", NONE)
def test_c5_what_stands_for_none_is_none(day: date) -> None:
    american = f"{day.month}/{day.day}/{day.year:04}"
    for text in (american, day.isoformat(), f"{american} 12:00:00 AM", f"{day.isoformat()}T00:00:00"):
        assert values.day(text) is None
        assert values.moment(text, ZoneInfo("America/Denver")) is None
        with pytest.raises(BadValue):
            values.birth_day(text)
    with pytest.raises(Malformed):
        wire.decode_patient(patient_json(day), "test")
    codec = next(row.codec for row in DEMOGRAPHICS if row.name == "birth_date")
    assert codec.clean(day.isoformat()) == codec.key(day.isoformat()) == ""


def patient_json(born: date | None) -> bytes:
    given = {
        "id": 7,
        "first_name": "Ada",
        "last_name": "Byron",
        "caregiver_practice": 1,
        "last_modified": "2026-03-02T15:00:00Z",
    }
    return msgspec.json.encode({**given, "dob": born})


@pytest.mark.parametrize("day", [*NONE, date(9999, 1, 1), date.max])
def test_c5_nobody_is_born_on_a_day_that_stands_for_none_or_at_the_end_of_time(day: date) -> None:
    with pytest.raises(values.BadValue):
        values.birth_day(f"{day.month}/{day.day}/{day.year:04d} 12:00:00 AM")
    assert is_no_birth(day)
    assert not is_no_birth(date(1980, 2, 29))


def test_c5_a_birth_date_that_is_none_makes_the_row_unusable_and_no_other() -> None:
    good, bad = row_of(ID="1", DOB="2/3/1980"), row_of(ID="2", DOB="1/1/0001 12:00:00 AM")
    read = rows.read_rows([good, bad], rows.patient, ZoneInfo("UTC"), "rows")
    assert ([one.id for one in read.rows], [(one.id, one.path) for one in read.bad_rows]) == ([1], [(2, "rows[1].DOB")])


@given(text=st.text(max_size=30) | st.builds(lambda day: f"{day.month}/{day.day}/{day.year}", DAYS) | DAYS.map(str)
       | MOMENTS.map(lambda moment: moment.isoformat()) | MOMENTS.map(lambda moment: moment.replace(tzinfo=None).isoformat()))  # fmt: skip
def test_a7_a_text_is_a_date_or_none_or_bad_and_nothing_else(text: str) -> None:
    for parse in (
        values.day,
        values.birth_day,
        values.number,
        lambda one: values.moment(one, ZoneInfo("Pacific/Kiritimati")),
    ):
        with suppress(BadValue):
            parse(text)


@given(start=MAYBE, end=MAYBE, born=MAYBE, today=DAYS)
def test_a7_a_policy_of_any_dates_is_in_force_or_not_and_has_terms(
    start: date | None, end: date | None, born: date | None, today: date
) -> None:
    policy = replace(BLUE, start=start, end=end, insured_birth_date=born)
    terms = policy_terms(policy, 1, 2, 3, replace(ADA_THERE, birth_date=known_day(born)))
    assert isinstance(terms, PolicyTerms)
    assert (terms.start, terms.end) == (known_day(start), last_day(end))
    assert terms.insured_birth_date == known_day(born)
    there = BillingSide(chart=insured(policy), read_at=NOW)
    due = next_revisit(there, today)
    assert due is None or due > today or due == date.max
    assert in_force(policy, today) or (end is not None and end < today)
    if end is not None and end.year == 9999:
        assert in_force(policy, today)
        assert due is None or due == start


def insured(*policies: object) -> object:
    return replace(ADA_THERE, cases=(BillingCase(id=71, name="Primary", is_primary=True, policies=policies),))


@pytest.mark.parametrize("row", DEMOGRAPHICS, ids=lambda row: row.name)
@given(text=DAYS.map(str) | st.text(max_size=20))
def test_a7_every_codec_says_fit_or_unfit_of_any_date(row: object, text: str) -> None:
    codec = row.codec  # type: ignore[attr-defined]
    clean = codec.clean(text)
    assert codec.clean(clean) == clean
    for system in System:
        assert isinstance(codec.fit(clean, system), str | Unfit)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a7_whatever_the_dates_a_patient_is_folded_and_decided_about(data: st.DataObject) -> None:
    """Charts, policies, appointments, bills; then vendors carry out what is wanted, and days go by."""

    def drawn(strategy: st.SearchStrategy[object]) -> object:
        return data.draw(strategy)

    clinic = Clinic()
    policy = replace(BLUE, start=drawn(MAYBE), end=drawn(MAYBE), insured_birth_date=drawn(MAYBE))
    clinic.linked(replace(ADA, birth_date=drawn(MAYBE)), replace(insured(policy), birth_date=drawn(MAYBE)))
    clinic.appointment(replace(VISIT, start=drawn(ANY_START), minutes=drawn(st.integers(0, 2**62))))
    clinic.bill(replace(GOOD_BILL, service_day=drawn(MAYBE)), modified=drawn(READ), observed=drawn(READ))
    clinic.ehr(replace(ADA, birth_date=drawn(MAYBE), city="Athens"), modified=drawn(READ), observed=drawn(READ))
    clinic.billing(replace(insured(policy), birth_date=drawn(MAYBE)), observed=drawn(READ))
    clinic.carry_out_all()
    clinic.pass_days(1)
    for patient in clinic.state.patients.values():
        patient_row(patient, 1, clinic.moment.today)


def test_a7_a_linked_patient_whose_policy_never_ends_is_written_to() -> None:
    clinic = Clinic()
    clinic.linked(there=insured(replace(BLUE, end=date(9999, 12, 31))))
    clinic.ehr(replace(ADA, city="Athens"))
    written = [one for one in clinic.carry_out_all() if isinstance(one, SyncPolicies)]
    assert [terms.end for one in written for terms in one.terms] == [None]
    clinic.pass_days(1)
    assert next_revisit(clinic.patient().billing, clinic.moment.today) is None


@given(
    day=DAYS,
    time=st.times(),
    offset=OFFSETS,
    zone=st.sampled_from(["America/Denver", "Pacific/Kiritimati", "nowhere", "../x"]),
)
def test_a7_a_bill_of_any_day_of_service_is_read_or_malformed(day: date, time: object, offset: timezone, zone: str) -> None:
    moment = datetime.combine(day, time, offset)  # type: ignore[arg-type]
    given = {
        "id": 7,
        "patient": 8,
        "practice": 9,
        "last_modified_date": "2026-03-02T15:00:00Z",
        "service_date_timezone": zone,
    }
    with suppress(Malformed):
        elation.bill(wire.decode_bill(msgspec.json.encode({**given, "service_date": moment.isoformat()}), "test"), "UTC")
