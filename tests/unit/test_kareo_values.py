"""Kareo's texts as values: every form that was seen, and nothing guessed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from daemon.vendors.kareo import failures, rows, soap, values
from daemon.vendors.kareo.answers import Node
from daemon.vendors.kareo.values import BadValue
from daemon.vendors.ports.errors import Defect, Malformed, OutcomeUnknown, Unreachable

PACIFIC = ZoneInfo("America/Los_Angeles")
NEW_YORK = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2/24/2026 11:00:00 AM", datetime(2026, 2, 24, 19, tzinfo=UTC)),
        ("7/4/2026 12:05:09 AM", datetime(2026, 7, 4, 7, 5, 9, tzinfo=UTC)),
        ("12/31/2026 11:59:59 PM", datetime(2027, 1, 1, 7, 59, 59, tzinfo=UTC)),
        ("02/24/2026 23:00:00", datetime(2026, 2, 25, 7, tzinfo=UTC)),
        ("2/24/2026 1:05 PM", datetime(2026, 2, 24, 21, 5, tzinfo=UTC)),
        ("2/24/2026", datetime(2026, 2, 24, 8, tzinfo=UTC)),
        ("2026-02-24T11:00:00", datetime(2026, 2, 24, 19, tzinfo=UTC)),
        ("2026-02-24T11:00:00Z", datetime(2026, 2, 24, 11, tzinfo=UTC)),
        ("2026-02-24T11:00:00-05:00", datetime(2026, 2, 24, 16, tzinfo=UTC)),
        ("", None),
    ],
)
def test_moments(text: str, expected: datetime | None) -> None:
    assert values.moment(text, PACIFIC) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2/29/1980", date(1980, 2, 29)),
        ("1980-02-29", date(1980, 2, 29)),
        ("2/29/1980 12:00:00 AM", date(1980, 2, 29)),
        ("1980-02-29T00:00:00", date(1980, 2, 29)),
        ("", None),
    ],
)
def test_days(text: str, expected: date | None) -> None:
    assert values.day(text) == expected


@pytest.mark.parametrize("text", ["2/30/1980", "SECRET", "1980", "13/1/1980", "0/0/0000"])
def test_what_is_no_date_is_said_without_repeating_it(text: str) -> None:
    for parse in (values.day, lambda one: values.moment(one, PACIFIC)):
        with pytest.raises(BadValue) as caught:
            parse(text)
        assert text not in str(caught.value)
        assert caught.value.__cause__ is None


def test_numbers() -> None:
    assert (values.number("12"), values.number("")) == (12, None)
    with pytest.raises(BadValue):
        values.number("1.5")


# -- windows ----------------------------------------------------------------------------------------------------------


def shown(moment: datetime, zone: ZoneInfo = PACIFIC) -> datetime:
    """As a list shows and compares it: wall time, no zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def read(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p")


def test_a_window_is_the_wall_time_of_the_list_zone() -> None:
    window = values.filter_window(datetime(2026, 3, 2, 20, tzinfo=UTC), datetime(2026, 7, 2, 7, tzinfo=UTC), PACIFIC)
    assert window == ("3/2/2026 12:00:00 PM", "7/2/2026 12:00:00 AM")


@pytest.mark.parametrize("zone", [PACIFIC, NEW_YORK, ZoneInfo("UTC")])
@pytest.mark.parametrize(
    "day", [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC)]
)
def test_nothing_slips_through_when_the_clock_changes(day: datetime, zone: ZoneInfo) -> None:
    """Whatever was changed within a window is between its ends as the service compares them, on every minute of the day."""
    step = timedelta(minutes=7)
    for start in range(0, 36 * 60, 7):
        first = day + timedelta(minutes=start)
        last = first + timedelta(minutes=20)
        low, high = (read(text) for text in values.filter_window(first, last, zone))
        assert low <= high
        moment = first
        while moment <= last:
            assert low <= shown(moment, zone) <= high, (moment, low, high)
            moment += step


# -- rows -------------------------------------------------------------------------------------------------------------


def row(**members: str | None) -> Node:
    """A row as it comes; None is nil."""
    nil = ' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'
    made = "".join(f"<{name}{nil}/>" if text is None else f"<{name}>{text}</{name}>" for name, text in members.items())
    return Node(etree.fromstring(f'<Data xmlns="urn:kareo">{made}</Data>'))


@pytest.mark.parametrize(
    ("text", "flag"),
    [("True", True), ("true", True), ("1", True), ("False", False), ("0", False), (None, False), ("", False)],
)
def test_booleans_are_text(text: str | None, flag: bool) -> None:
    assert rows.RowReader(row(IsPrimaryCase=text), PACIFIC).flag("IsPrimaryCase") is flag


def test_missing_nil_and_empty_are_the_same() -> None:
    reader = rows.RowReader(row(A=None, B="", C="  "), PACIFIC)
    assert [reader.text(name) for name in "ABCD"] == [""] * 4
    assert [reader.day(name) for name in "ABCD"] == [None] * 4
    with pytest.raises(rows.BadMember, match="A"):
        reader.required("A")


@pytest.mark.parametrize("text", ["Check-in", "CheckIn", "check in"])
def test_statuses_are_folded(text: str) -> None:
    assert rows.folded_status(text) == "checkin"


@pytest.mark.parametrize(
    ("text", "kind"), [("P", "patient"), ("Patient", "patient"), ("O", "other"), ("U", "unknown"), ("", "unknown")]
)
def test_types_are_folded_by_their_first_letter(text: str, kind: str) -> None:
    one = row(ID="1", StartDate="3/2/2026 8:00:00 PM", EndDate="3/2/2026 8:30:00 PM", Type=text)
    assert rows.appointment(rows.RowReader(one, PACIFIC)).type == kind


def test_phantoms_are_dropped_and_bad_rows_are_kept_apart() -> None:
    found = rows.read_rows([row(ID=None), row(ID="7", Name="A"), row(ID="x"), row()], rows.location, PACIFIC, "L")
    assert [one.id for one in found.rows] == [7]
    assert [(one.id, one.path) for one in found.bad_rows] == [(None, "L[2].ID")]
    assert b">x<" in found.bad_rows[0].raw


# -- answers ----------------------------------------------------------------------------------------------------------

HEAD, TAIL = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>', "</s:Body></s:Envelope>"
NAMED = '<GetPatientResponse xmlns="urn:kareo"><GetPatientResult>{}</GetPatientResult></GetPatientResponse>'


def answered(body: str, status: int = 200, operation: str = "GetPatient") -> Node:
    return soap.read(operation, status, f"{HEAD}{body}{TAIL}".encode(), 1.0)


def test_members_are_read_by_their_local_names_in_any_order_and_unknown_ones_passed_over() -> None:
    patient = "<New><ID>9</ID></New><p:Last xmlns:p='urn:other'> O&#39;Neil &amp; Co </p:Last><!-- x --><ID>7</ID>"
    cases = "<Cases><Case><ID>1</ID></Case><Other/><Case/></Cases>"
    found = answered(NAMED.format(f"<Patient>{patient}{cases}</Patient>")).node("Patient")
    assert found is not None
    assert (found.text("ID"), found.text("Last"), found.text("None")) == ("7", "O'Neil & Co", "")
    assert [one.text("ID") for one in rows.listed(found, "Cases", "Case")] == ["1", ""]
    assert rows.listed(found, "Nothing", "Case") == []


@pytest.mark.parametrize("status", [404, 500])
def test_an_answer_of_another_status_is_none(status: int) -> None:
    with pytest.raises(Unreachable):
        answered(NAMED.format("<Patient/>"), status)


@pytest.mark.parametrize("body", ["", "<x/>", NAMED.format("").replace("Patient", "Other"), "<GetPatientResponse/>"])
def test_an_answer_to_something_else_is_none(body: str) -> None:
    with pytest.raises(Unreachable):
        answered(body)


@pytest.mark.parametrize("cut", [1, 10, 60, 150])
def test_an_answer_that_is_cut_off_is_none(cut: int) -> None:
    """Half a list must never look like a whole one."""
    whole = f"{HEAD}{NAMED.format('<Patients><PatientData><ID>1</ID></PatientData></Patients>')}{TAIL}".encode()
    with pytest.raises(Unreachable):
        soap.read("GetPatient", 200, whole[:-cut], 1.0)


def test_a_character_that_xml_does_not_have_costs_no_more_than_itself() -> None:
    found = answered(NAMED.format("<Patient><ID>7</ID><Notes>a&#1;b\x02c</Notes><City>Bend</City></Patient>")).node(
        "Patient"
    )
    assert found is not None
    assert (found.text("ID"), found.text("City")) == ("7", "Bend")


def test_a_document_type_is_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(Unreachable):
        soap.read("GetPatient", 200, f"{bomb}{HEAD}{NAMED.format('<Patient><ID>&b;</ID></Patient>')}{TAIL}".encode(), 1.0)


def test_a_fault_is_told_by_its_code() -> None:
    fault = "<s:Fault><faultcode>a:DeserializationFailed</faultcode><faultstring>no</faultstring></s:Fault>"
    with pytest.raises(Defect):
        answered(fault, 500, "UpdatePatient")
    with pytest.raises(OutcomeUnknown):
        answered(fault.replace("DeserializationFailed", "InternalServiceFault"), 500, "UpdatePatient")


# -- an echoed encounter ----------------------------------------------------------------------------------------------


def test_problems_of_an_echo() -> None:
    echo = (
        "Errors: <Encounter><Patient>SECRET</Patient><ServiceLine><ProcedureCode>99999<err id='1'>not  found</err></ProcedureCode>"
        "</ServiceLine><err id='6100'>overall</err></Encounter>"
    )
    assert failures.problems(echo) == (("ProcedureCode", "99999", "not found"),)
    for text in (
        "no xml",
        "<broken",
        "<a>&x;</a>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;<err/></a>',
    ):
        assert failures.problems(text) == ()


# -- answers that are broken ------------------------------------------------------------------------------------------------


def listed(*rows_: str) -> bytes:
    inner = "".join(f"<b:PatientData>{row}</b:PatientData>" for row in rows_)
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetPatientsResponse xmlns="urn:k">'
        f'<GetPatientsResult xmlns:b="urn:d"><b:Patients>{inner}</b:Patients></GetPatientsResult></GetPatientsResponse>'
        "</s:Body></s:Envelope>"
    ).encode()


def read_patients(content: bytes) -> tuple[list[tuple[int, str]], list[tuple[int | None, str, bytes]]]:
    answer = soap.read("GetPatients", 200, content, 1.0)
    read = rows.read_rows(rows.listed(answer, "Patients", "PatientData"), rows.patient, PACIFIC, "rows")
    return [(one.id, one.first_name) for one in read.rows], [(one.id, one.path, one.raw) for one in read.bad_rows]


GOOD_ROW = "<b:ID>1</b:ID><b:FirstName>Ada</b:FirstName>"


@pytest.mark.parametrize("name", ["a<b", "Ann&foo;a Maria", "Ann & Maria", "<i>Ann", "Ann]]>", "Ann &#12x; Maria"])
def test_b1_a_row_of_broken_xml_is_unusable_and_no_cut_value(name: str) -> None:
    broken = f"<b:ID>2</b:ID><b:FirstName>{name}</b:FirstName>"
    good, bad = read_patients(listed(GOOD_ROW, broken, GOOD_ROW.replace("1", "3")))
    assert good == [(1, "Ada"), (3, "Ada")]
    assert bad == [(2, "rows[1]", f"<b:PatientData>{broken}</b:PatientData>".encode())]


@given(
    parts=st.lists(
        st.sampled_from(
            [*"Ann &;<>", "&amp;", "&#x1;", "&#12;", "&foo;", "<i>", "</i>", "<!-- x -->", "<b/>", "]]>", "\x01"]
        ),
        max_size=6,
    )
)
def test_b1_a_value_is_all_that_stands_there_or_the_row_is_unusable(parts: list[str]) -> None:
    """As a strict parser reads it, less the characters that XML does not have; never a part of it."""
    good, bad = read_patients(listed(f"<b:ID>2</b:ID><b:FirstName>{''.join(parts)}</b:FirstName>", GOOD_ROW))
    assert (1, "Ada") in good
    possible = re.sub(r"&#(x1|12);|\x01", "", "".join(parts))
    try:
        whole = ElementTree.fromstring(f"<a>{possible}</a>")
    except ElementTree.ParseError:
        whole = None
    if whole is None or len(whole) > 0:
        assert ([id_ for id_, _ in good], [id_ for id_, _, _ in bad]) == ([1], [2])
    else:
        assert (good[0], bad) == ((2, (whole.text or "").strip()), [])


@pytest.mark.parametrize("name", ["A\x01da", "A&#0;da", "A&#x1F;da", "A\x00da", "A\ufffeda", "A&#xD800;da", "A&#1114112;da"])
def test_b1_characters_that_xml_does_not_have_are_left_out(name: str) -> None:
    good, bad = read_patients(listed(GOOD_ROW.replace("Ada", name)))
    assert (good, bad) == ([(1, "Ada")], [])


def test_b1_a_broken_row_without_a_legible_id_is_kept_too() -> None:
    good, bad = read_patients(listed("<b:ID>2<b:FirstName>Ann</b:FirstName>", GOOD_ROW))
    assert good == [(1, "Ada")]
    assert [id_ for id_, _, _ in bad] == [None]


def test_b1_an_answer_that_is_broken_elsewhere_is_malformed_and_a_write_unknown() -> None:
    broken = listed(GOOD_ROW).replace(b"<b:Patients>", b"<b:Patients>a<b")
    with pytest.raises(Malformed):
        soap.read("GetPatients", 200, broken, 1.0)
    with pytest.raises(OutcomeUnknown):
        soap.read("CreatePatient", 200, broken, 1.0)


def test_b1_rows_without_end_take_no_time() -> None:
    content = listed().replace(b"<b:Patients>", b"<b:Patients>" + b"<b:PatientData>" * 200_000)
    with pytest.raises(Malformed):
        soap.read("GetPatients", 200, content, 1.0)
