"""Writes the daemon can want: what an intent carries out, and what came of it. Every write names the system it goes to."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from events.bookings import AnyBooking, BookingTerms, StandsAlready
from events.ids import BillingPatientId, EhrChartId
from events.records import BillingCase, BillingChart, ChartPolicy, EhrBill, EhrChart, EhrPolicy, Value, stored_type
from events.terms import AppointmentTerms, EncounterTerms, PolicyChange, PolicyTerms


class System(StrEnum):
    EHR = "elation"
    BILLING = "kareo"


class Resource(StrEnum):
    """Rows of the direction table (deploy/DESIGN.md, The two roles)."""

    CHART = "chart"
    DEMOGRAPHICS = "demographics"
    INSURANCE = "insurance"
    APPOINTMENT = "appointment"
    BILL = "bill"


class Write(Value, frozen=True, kw_only=True, tag=stored_type):
    """Base of the writes."""


class EhrWrite(Write, frozen=True, kw_only=True):
    """Goes to Elation."""


class BillingWrite(Write, frozen=True, kw_only=True):
    """Goes to Kareo."""


# -- charts ---------------------------------------------------------------------------------------------------------


class SearchEhr(EhrWrite, frozen=True, kw_only=True):
    """Look for a chart before creating one (guide: Links). Changes nothing."""

    first_name: str
    last_name: str
    birth_date: date | None = None
    sex: str = ""


class SearchBilling(BillingWrite, frozen=True, kw_only=True):
    """Look for a patient before creating one (guide: Links). Changes nothing."""

    first_name: str
    last_name: str
    birth_date: date | None = None
    sex: str = ""


class CreateEhrChart(EhrWrite, frozen=True, kw_only=True):
    """`fields` by canonical name (`projections.rules.fields`), `physician` resolved; `link_hint` goes to the metadata."""

    billing: BillingPatientId
    fields: dict[str, str]
    physician: int
    link_hint: str


class CreateBillingChart(BillingWrite, frozen=True, kw_only=True):
    """`external_id` (at most 25 characters) makes the creation findable; a case comes along, or nothing could be billed.

    Its `policies` come along, too, where insurance goes to the billing side.
    """

    ehr: EhrChartId
    fields: dict[str, str]
    provider: int | None = None
    external_id: str
    case_name: str
    payer_scenario: str
    policies: tuple[PolicyChange, ...] = ()


class UpdateEhrChart(EhrWrite, frozen=True, kw_only=True):
    """Only the fields that change, by canonical name; a field at "" is cleared; `physician` None leaves it as it is.

    `expected` are the values that are to be replaced: where the chart shows others, somebody was faster. `beside` are numbers of
    the same kind as a field's, by its name, that are not ours: they stay where they are. `replaces` is the physician whom
    `physician` replaces, None where that is nobody, or not known.
    """

    chart: EhrChartId
    fields: dict[str, str]
    expected: dict[str, str] = {}
    physician: int | None = None
    replaces: int | None = None
    beside: dict[str, tuple[str, ...]] = {}


class UpdateBillingChart(BillingWrite, frozen=True, kw_only=True):
    """Only the fields that change, `expected` as in UpdateEhrChart."""

    patient: BillingPatientId
    fields: dict[str, str]
    expected: dict[str, str] = {}
    provider: int | None = None


class AddBillingCase(BillingWrite, frozen=True, kw_only=True):
    """A patient without a case cannot be billed."""

    patient: BillingPatientId
    case_name: str
    payer_scenario: str


# -- insurance ------------------------------------------------------------------------------------------------------


class CreateCarrier(EhrWrite, frozen=True, kw_only=True):
    """An insurance company that a patient has and Elation lacks, with the address of Kareo's plan `plan_id`, which it follows."""

    company_id: str
    name: str
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    phone: str = ""
    plan_id: str = ""


class UpdateCarrier(EhrWrite, frozen=True, kw_only=True):
    """Bring a carrier of ours to its plan: `fields` change, by the names of CreateCarrier; `agreed` is all that the plan says."""

    carrier: int
    company_id: str
    plan_id: str
    fields: dict[str, str]
    agreed: dict[str, str]


class CreatePlan(EhrWrite, frozen=True, kw_only=True):
    billing_plan_id: str
    name: str
    carrier: int


class SyncPolicies(EhrWrite, frozen=True, kw_only=True):
    """Bring a chart's policies to `terms`; `known` maps Kareo policy ids to the Elation policies that hold them, `remove`
    lists Elation policies of ours that are gone in Kareo. Where insurance goes both ways `seen` are the chart's policies on which
    this was decided, and only the terms of those that change are told; `brings` are the members that each comes to agree on.
    """

    chart: EhrChartId
    first_name: str
    last_name: str
    birth_date: date
    terms: tuple[PolicyTerms, ...] = ()
    known: dict[str, int] = {}
    remove: tuple[int, ...] = ()
    seen: tuple[ChartPolicy, ...] | None = None
    brings: dict[str, tuple[str, ...]] = {}


class ChangeBillingPolicies(BillingWrite, frozen=True, kw_only=True):
    """Bring the chart side's `changes` to the patient's case; `case_id` None adds one. `before` is the reading on which this was
    decided: by it a lost answer is settled, for a policy that is added has no id of ours."""

    patient: BillingPatientId
    case_id: int | None = None
    case_name: str = ""
    payer_scenario: str = ""
    changes: tuple[PolicyChange, ...] = ()
    before: tuple[BillingCase, ...] = ()


# -- appointments ---------------------------------------------------------------------------------------------------


class CreateEhrAppointment(EhrWrite, frozen=True, kw_only=True):
    chart: EhrChartId
    terms: AppointmentTerms
    link_hint: str


class UpdateEhrAppointment(EhrWrite, frozen=True, kw_only=True):
    """Bring an existing appointment to `terms`; `revive` undoes an earlier cancellation."""

    chart: EhrChartId
    appointment: int
    terms: AppointmentTerms
    revive: bool = False


class CancelEhrAppointment(EhrWrite, frozen=True, kw_only=True):
    """Cancelled in Kareo: stays visible in Elation as Cancelled."""

    appointment: int


class DeleteEhrAppointment(EhrWrite, frozen=True, kw_only=True):
    """Deleted in Kareo: deleted (softly) in Elation."""

    appointment: int


# -- bills ----------------------------------------------------------------------------------------------------------


class CreateEncounter(BillingWrite, frozen=True, kw_only=True):
    """A signed Elation bill as a Kareo encounter. `batch` carries the bill id so that a lost answer can be looked up; `content` is
    the digest of the bill as it was sent, to see later that it differs."""

    bill: int
    content: str
    patient: BillingPatientId
    case_id: int
    service_day: date
    post_day: date
    rendering_provider: int
    supervising_provider: int | None = None
    location: int
    place_of_service: str
    lines: tuple[EncounterTerms, ...]
    further_dxs: tuple[str, ...] = ()
    notes: str = ""
    prior_authorization: str = ""
    batch: str = ""
    status: str = "Draft"


class MarkBilled(EhrWrite, frozen=True, kw_only=True):
    """Success written back: the encounter id and the date (guide: Bills)."""

    bill: int
    ref_number: str
    billed_at: datetime


class MarkBillError(EhrWrite, frozen=True, kw_only=True):
    """A Bill Error: `text` (<= 200 characters) says what to fix where the digest is `content`, `depends_on` what makes it good unfixed."""

    bill: int
    text: str
    raw: str = ""
    depends_on: tuple[str, ...] = ()
    content: str = ""


class ReleaseBill(EhrWrite, frozen=True, kw_only=True):
    """A deferred bill leaves Elation's Billing Home, as by "Send to PMS" there: somebody asked for it here."""

    bill: int


BillAnswer = MarkBilled | MarkBillError | ReleaseBill
"""What is written to a bill where it comes from, for the sake of sending it: allowed where sending is."""

AnyWrite = (
    SearchEhr | SearchBilling | CreateEhrChart | CreateBillingChart | UpdateEhrChart | UpdateBillingChart
    | AddBillingCase | CreateCarrier | UpdateCarrier | CreatePlan | SyncPolicies | ChangeBillingPolicies
    | CreateEhrAppointment | UpdateEhrAppointment | CancelEhrAppointment | DeleteEhrAppointment | AnyBooking
    | CreateEncounter | BillAnswer
)  # fmt: skip


class Likeness(Value, frozen=True, kw_only=True):
    """How alike two charts are, as matching found it (`projections.matching`); names no value.

    `per_million` is the probability of being one person, `levels` are by field, `vetoes` what forbids a link without a person, `rivals` further charts of the searching chart's own
    system that look like the candidate too.
    """

    certain: bool = False
    per_million: int = 0
    levels: dict[str, str] = {}
    vetoes: tuple[str, ...] = ()
    rivals: tuple[int, ...] = ()

    @property
    def probability(self) -> float:
        return self.per_million / 1_000_000


class Candidate(Value, frozen=True, kw_only=True):
    """A chart of the other system that a search found; `likeness` once it was compared with the person searched for."""

    id: int
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    sex: str = ""
    likeness: Likeness | None = None


class Result(Value, frozen=True, kw_only=True, tag=stored_type):
    """Base of what came of a write."""


class Searched(Result, frozen=True, kw_only=True):
    """What a search found. `refused` when a creation was refused as a duplicate of the one candidate (Elation 409)."""

    candidates: tuple[Candidate, ...] = ()
    refused: bool = False


class EhrChartWritten(Result, frozen=True, kw_only=True):
    """The chart as read back. `sent` are the fields that an update was sent with, by canonical name, some of which may not be
    wanted any more; None where that is not known, because the answer was lost."""

    chart: EhrChart
    modified: datetime | None = None
    read_at: datetime
    sent: dict[str, str] | None = None


class BillingChartWritten(Result, frozen=True, kw_only=True):
    """As EhrChartWritten."""

    chart: BillingChart
    modified: datetime | None = None
    read_at: datetime
    sent: dict[str, str] | None = None


class RecordCreated(Result, frozen=True, kw_only=True):
    """A carrier, plan, appointment or encounter: its id in the system written to; `others` were created along by a mistake.

    What was found and is not as asked for: `found` and `booked` are how an appointment stands, `otherwise` is another encounter's content.
    """

    id: int
    others: tuple[int, ...] = ()
    found: AppointmentTerms | None = None
    booked: BookingTerms | None = None
    otherwise: bool = False


class PoliciesWritten(Result, frozen=True, kw_only=True):
    """`known` as in SyncPolicies, after the write; `displaced` are others' policies that lost their rank to ours. `read` are all of the
    chart's as they were then, at `read_at`."""

    known: dict[str, int] = {}
    policies: tuple[EhrPolicy, ...] = ()
    displaced: tuple[int, ...] = ()
    read: tuple[ChartPolicy, ...] = ()
    read_at: datetime | None = None


class BillingPoliciesWritten(Result, frozen=True, kw_only=True):
    """The patient as read back; `known` are Kareo's policies of the Elation policies that were brought there."""

    chart: BillingChart
    modified: datetime | None = None
    read_at: datetime
    known: dict[str, int] = {}


class BillWritten(Result, frozen=True, kw_only=True):
    """The bill as read back: what a user's next "Save & Re-send" is told apart from."""

    bill: EhrBill
    modified: datetime | None = None
    read_at: datetime


class Done(Result, frozen=True, kw_only=True):
    """Nothing to tell but that it holds now; `already` when it had been so before."""

    already: bool = False


AnyResult = (
    Searched | EhrChartWritten | BillingChartWritten | RecordCreated | StandsAlready
    | PoliciesWritten | BillingPoliciesWritten | BillWritten | Done
)  # fmt: skip


def system_of(write: AnyWrite) -> System:
    """The system that carries `write` out."""
    return System.EHR if isinstance(write, EhrWrite) else System.BILLING


def changes_nothing(write: AnyWrite) -> bool:
    """True for searches: repeating one is always safe."""
    return isinstance(write, SearchEhr | SearchBilling)
