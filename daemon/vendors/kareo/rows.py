"""From an answer's elements to typed rows: every member is read by name, and what does not parse makes that row a BadRow."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from datetime import date, datetime
from hashlib import blake2b
from typing import TypeVar
from zoneinfo import ZoneInfo

from lxml import etree

from daemon.vendors.kareo import values, wire
from daemon.vendors.kareo.answers import BROKEN, Node
from daemon.vendors.kareo.failures import malformed, no, yes

T = TypeVar("T")

INSURANCE_SHOWN = (
    "CompanyID", "CompanyName", "PlanID", "PlanName", "PlanAddressLine1", "PlanAddressLine2", "PlanCity", "PlanState",
    "PlanZipCode", "PlanPhoneNumber", "Number", "GroupNumber", "Copay", "Deductible", "EffectiveStartDate", "EffectiveEndDate",
    "PatientRelationshipToInsured", "InsuredFullName", "InsuredAddressLine1", "InsuredAddressLine2", "InsuredCity",
    "InsuredState", "InsuredZipCode", "InsuredIDNumber", "InsuredSocialSecurityNumber", "InsuredDateOfBirth", "InsuredGender",
)  # fmt: skip


class BadMember(Exception):
    """A member of a row that does not parse, by name."""


class RowReader:
    """Reads the members of one element; missing, nil and empty are the same."""

    def __init__(self, row: Node, zone: ZoneInfo) -> None:
        self._row = row
        self._zone = zone

    def text(self, name: str) -> str:
        """Of a member that holds elements only what stands before them would be read: it is none."""
        if self._row.holds_elements(name):
            raise BadMember(name)
        return self._row.text(name)

    def number(self, name: str) -> int | None:
        return self._parsed(name, values.number)

    def required(self, name: str) -> int:
        found = self.number(name)
        if found is None:
            raise BadMember(name)
        return found

    def day(self, name: str) -> date | None:
        return self._parsed(name, values.day)

    def birth_day(self, name: str) -> date | None:
        return self._parsed(name, values.birth_day)

    def moment(self, name: str, zone: ZoneInfo | None = None) -> datetime | None:
        return self._parsed(name, lambda text: values.moment(text, zone or self._zone))

    def flag(self, name: str) -> bool:
        return yes(self.text(name))

    def _parsed(self, name: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(self.text(name))
        except values.BadValue:
            raise BadMember(name) from None


def listed(answer: Node, container: str, member: str) -> list[Node]:
    """The rows of a list."""
    found = answer.node(container)
    return [] if found is None else found.nodes(member)


def read_rows(
    rows: Iterable[Node], read: Callable[[RowReader], T], zone: ZoneInfo, where: str, id_member: str = "ID"
) -> wire.Rows[T]:
    """Rows that fit and rows that do not; rows without any id are phantoms and dropped."""
    good: list[T] = []
    bad: list[wire.BadXmlRow] = []
    for index, row in enumerate(rows):
        reader = RowReader(row, zone)
        if broken := reader.text(BROKEN):
            bad.append(wire.BadXmlRow(id=_legible(reader, id_member), path=f"{where}[{index}]", raw=b64decode(broken)))
            continue
        try:
            if reader.text(id_member):
                good.append(read(reader))
        except BadMember as error:
            bad.append(
                wire.BadXmlRow(
                    id=_legible(reader, id_member), path=f"{where}[{index}].{error}", raw=etree.tostring(row.element)
                )
            )
    return wire.Rows(rows=tuple(good), bad_rows=tuple(bad))


def demand_whole(operation: str, read: wire.Rows[T]) -> None:
    """Raises Malformed where a row could not be read: looking for a record, it might be the one, and would be made twice."""
    if read.bad_rows:
        raise malformed(operation, read.bad_rows[0].path)


def _legible(reader: RowReader, id_member: str) -> int | None:
    try:
        return reader.number(id_member)
    except BadMember:
        return None


def patient(reader: RowReader) -> wire.KareoPatient:
    """A row of GetPatients or GetAllPatients."""
    shown = [reader.text(f"{rank}InsurancePolicy{name}") for rank in ("Primary", "Secondary") for name in INSURANCE_SHOWN]
    return wire.KareoPatient(
        id=reader.required("ID"),
        practice_id=reader.number("PracticeId"),
        first_name=reader.text("FirstName"),
        middle_name=reader.text("MiddleName"),
        last_name=reader.text("LastName"),
        birth_date=reader.birth_day("DOB"),
        sex=reader.text("Gender"),
        ssn=reader.text("SSN"),
        address_line1=reader.text("AddressLine1"),
        address_line2=reader.text("AddressLine2"),
        city=reader.text("City"),
        state=reader.text("State"),
        zip=reader.text("ZipCode"),
        home_phone=reader.text("HomePhone"),
        mobile_phone=reader.text("MobilePhone"),
        work_phone=reader.text("WorkPhone"),
        email=reader.text("EmailAddress"),
        provider_id=reader.number("DefaultRenderingProviderId"),
        created=reader.moment("CreatedDate"),
        modified=reader.moment("LastModifiedDate"),
        flattened_insurance_hash=blake2b("\x1f".join(shown).encode(), digest_size=16).hexdigest(),
        default_case=reader.text("DefaultCaseID"),
    )


def case(row: Node, zone: ZoneInfo) -> wire.BillingCase:
    """A case with its policies; rows without an id are phantoms."""
    reader = RowReader(row, zone)
    policies = listed(row, "InsurancePolicies", "PatientInsurancePolicyData")
    return wire.BillingCase(
        id=reader.required("PatientCaseID"),
        name=reader.text("Name"),
        payer_scenario=reader.text("PayerScenario"),
        is_primary=reader.flag("IsPrimaryCase"),
        policies=tuple(_policy(RowReader(one, zone)) for one in policies if RowReader(one, zone).text("InsurancePolicyID")),
    )


def _policy(reader: RowReader) -> wire.BillingPolicy:
    return wire.BillingPolicy(
        id=reader.required("InsurancePolicyID"),
        company_id=reader.text("CompanyID"),
        company_name=reader.text("CompanyName"),
        plan_id=reader.text("PlanID"),
        plan_name=reader.text("PlanName"),
        plan_address_line1=reader.text("PlanAddressLine1"),
        plan_address_line2=reader.text("PlanAddressLine2"),
        plan_city=reader.text("PlanCity"),
        plan_state=reader.text("PlanState"),
        plan_zip=reader.text("PlanZipCode"),
        plan_phone=reader.text("PlanPhoneNumber"),
        number=reader.text("Number"),
        group=reader.text("GroupNumber"),
        copay=reader.text("Copay"),
        deductible=reader.text("Deductible"),
        start=reader.day("EffectiveStartDate"),
        end=reader.day("EffectiveEndDate"),
        relationship=reader.text("PatientRelationshipToInsured"),
        insured_name=reader.text("InsuredFullName"),
        insured_address_line1=reader.text("InsuredAddressLine1"),
        insured_address_line2=reader.text("InsuredAddressLine2"),
        insured_city=reader.text("InsuredCity"),
        insured_state=reader.text("InsuredState"),
        insured_zip=reader.text("InsuredZipCode"),
        insured_ssn=reader.text("InsuredSocialSecurityNumber"),
        insured_birth_date=reader.day("InsuredDateOfBirth"),
        insured_sex=reader.text("InsuredGender"),
    )


def appointment(reader: RowReader) -> wire.BillingAppointment:
    """A row of GetAppointments asked with offset 0: its times are UTC, its modified time is not."""
    utc = ZoneInfo("UTC")
    start, end = reader.moment("StartDate", utc), reader.moment("EndDate", utc)
    if start is None or end is None:
        raise BadMember("StartDate" if start is None else "EndDate")
    kind = reader.text("Type").casefold()[:1]
    return wire.BillingAppointment(
        id=reader.required("ID"),
        start=start,
        end=end,
        patient_id=reader.number("PatientID"),
        reason=reader.text("AppointmentReason1"),
        resource_names=tuple(name for number in range(1, 11) if (name := reader.text(f"ResourceName{number}"))),
        status=folded_status(reader.text("ConfirmationStatus")),
        type={"p": "patient", "o": "other"}.get(kind, "unknown"),
        practice_id=reader.number("PracticeID"),
        is_recurring=reader.flag("Recurring"),
        modified=reader.moment("LastModifiedDate"),
    )


def booked(reader: RowReader) -> wire.BookedRow:
    """As `appointment`, by what a lost creation is found."""
    return wire.BookedRow(
        id=reader.required("ID"),
        start=reader.moment("StartDate", ZoneInfo("UTC")),
        patient_id=reader.number("PatientID"),
        notes=reader.text("Notes"),
        created=reader.moment("CreatedDate"),
    )


def folded_status(text: str) -> str:
    """The list's and the single operation's spellings as one: letters only, lower case."""
    return "".join(char for char in text.casefold() if char.isalpha())


def provider(reader: RowReader) -> wire.KareoProvider:
    return wire.KareoProvider(
        id=reader.required("ID"),
        first_name=reader.text("FirstName"),
        last_name=reader.text("LastName"),
        full_name=reader.text("FullName"),
        npi=reader.text("NationalProviderIdentifier"),
        active=not no(reader.text("Active")),
    )


def location(reader: RowReader) -> wire.KareoLocation:
    return wire.KareoLocation(
        id=reader.required("ID"), name=reader.text("Name"), place_of_service=reader.text("PlaceOfService")
    )


def practice(reader: RowReader) -> wire.KareoPractice:
    return wire.KareoPractice(id=reader.required("ID"), name=reader.text("PracticeName"))


def charge(reader: RowReader) -> wire.KareoCharge:
    return wire.KareoCharge(
        id=reader.required("ID"),
        encounter_id=reader.number("EncounterID"),
        patient_id=reader.number("PatientID"),
        procedure_code=reader.text("ProcedureCode"),
        batch_number=reader.text("BatchNumber"),
        modifiers=_texts(reader, "ProcedureModifier"),
        diagnoses=_texts(reader, "EncounterDiagnosisID"),
        units=reader.text("Units"),
        unit_charge=reader.text("UnitCharge"),
        service_day=reader.day("ServiceStartDate"),
        status=reader.text("Status"),
    )


def _texts(reader: RowReader, name: str) -> tuple[str, ...]:
    """Up to four numbered members, those that say something."""
    return tuple(text for number in range(1, 5) if (text := reader.text(f"{name}{number}")))
