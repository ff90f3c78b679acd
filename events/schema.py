"""Events: the envelope, and a body for everything that can happen.

A body's class name is its type on the wire; `VERSIONS` holds the current version of each, `codec` upcasts older ones.
Bodies hold patients' data and are encrypted wherever they rest or travel; the envelope holds none.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from events.bookings import InCalendar
from events.commands import Command
from events.first_day import LiveChosen
from events.holds import Aside, OfPatientKeptOut
from events.ids import BillingPatientId, EhrChartId, EventId, IntentId, PatientKey, PracticeId
from events.insurance import Insured
from events.maps import MapChange
from events.merges import BillingLinkMoved, ToldApart
from events.records import (
    BillingAppointment,
    BillingChart,
    Carrier,
    EhrBill,
    EhrChart,
    Location,
    Plan,
    Provider,
    Value,
    stored_type,
    type_of,
)
from events.restarts import OfRestart
from events.writes import AnyResult, AnyWrite, Candidate, Likeness, Resource, SearchBilling, SearchEhr, System


class Origin(StrEnum):
    """Who an event comes from."""

    EHR = "elation"
    BILLING = "kareo"
    CHARTWIRE = "chartwire"
    OPERATOR = "operator"


# -- observations: what a connector saw -------------------------------------------------------------------------------


class EhrChartObserved(Value, frozen=True, kw_only=True):
    chart: EhrChart


class EhrChartDeleted(Value, frozen=True, kw_only=True):
    """The chart answers 410, or a webhook said so. A restored chart is simply observed again."""

    chart: EhrChartId


class EhrChartMerged(Value, frozen=True, kw_only=True):
    """The chart answers with another's address."""

    chart: EhrChartId
    survivor: EhrChartId


class BillingChartObserved(Value, frozen=True, kw_only=True):
    chart: BillingChart


class BillingChartVanished(Value, frozen=True, kw_only=True):
    """Absent from a complete sweep and not to be had by id: deleted or merged away."""

    patient: BillingPatientId


class BillingAppointmentObserved(Value, frozen=True, kw_only=True):
    appointment: BillingAppointment


class BillingAppointmentVanished(Value, frozen=True, kw_only=True):
    key: str
    patient: BillingPatientId


class BillObserved(Value, frozen=True, kw_only=True):
    bill: EhrBill


class EhrDirectoryObserved(Value, frozen=True, kw_only=True):
    providers: tuple[Provider, ...] = ()
    locations: tuple[Location, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    plans: tuple[Plan, ...] = ()


class BillingDirectoryObserved(Value, frozen=True, kw_only=True):
    providers: tuple[Provider, ...] = ()
    locations: tuple[Location, ...] = ()


class RevisitDue(Value, frozen=True, kw_only=True):
    """A patient is looked at again though nothing of theirs changed: a policy ended, or what they waited for is there."""

    reason: str


class ChangeQuarantined(Value, frozen=True, kw_only=True):
    """A change that could not be understood or does not belong here; `path` names the place, `raw` keeps it whole."""

    system: System
    resource: str
    record: str = ""
    path: str = ""
    reason: str = ""
    raw: bytes = b""


# -- decisions about charts -------------------------------------------------------------------------------------------


class ChartLinked(Value, frozen=True, kw_only=True):
    """One chart here is one patient there. `base` are the fields on which both sides agree at this moment.

    `resumes` are charts merged into this one that had been linked with this patient: what was written to them counts again, but
    for appointments that were `gone` from them meanwhile.
    `likeness` is what a link by matching rests on. `two_way`: insurance goes both ways. `bare`: just created by us, no policies.
    """

    ehr: EhrChartId
    billing: BillingPatientId
    how: str
    base: dict[str, str] = {}
    resumes: tuple[EhrChartId, ...] = ()
    likeness: Likeness | None = None
    two_way: bool = False
    bare: bool = False
    gone: tuple[int, ...] = ()


class LinkMoved(Value, frozen=True, kw_only=True):
    """The linked chart was absorbed by an unlinked one (guide: Links)."""

    billing: BillingPatientId
    source: EhrChartId
    target: EhrChartId


class LinkSuspended(Value, frozen=True, kw_only=True):
    """The Elation chart was deleted: the Kareo chart stays, nothing is written to either until it is restored."""

    ehr: EhrChartId
    billing: BillingPatientId


class LinkResumed(Value, frozen=True, kw_only=True):
    ehr: EhrChartId
    billing: BillingPatientId


class FieldsAgreed(Value, frozen=True, kw_only=True):
    """Both sides came to hold the same values by themselves: they are the new base of the three-way merge."""

    fields: dict[str, str]


class FieldConflict(Value, frozen=True, kw_only=True):
    field: str
    base: str | None = None
    ehr: str
    billing: str
    winner: System


class ConflictRecorded(Value, frozen=True, kw_only=True):
    """Both sides changed a field differently; the loser's value lives on here (guide: Demographics)."""

    conflicts: tuple[FieldConflict, ...]


class ChartUnlinked(Value, frozen=True, kw_only=True):
    """The two were linked and are not the same person: two patients again, and never linked by matching (UnlinkRequested)."""

    ehr: EhrChartId
    billing: BillingPatientId


class PairBarred(Value, frozen=True, kw_only=True):
    """A person said that these two, which were never linked, are not the same person."""

    ehr: EhrChartId
    billing: BillingPatientId


# -- the first day ----------------------------------------------------------------------------------------------------


class ObservingBegan(Value, frozen=True, kw_only=True):
    """From now on the practice is only observed: nothing is decided and nothing is written before WentLive."""


class CounterpartsFound(Value, frozen=True, kw_only=True):
    """Who of the other system may be this person: from our own copy of it and from the vendor's search, each compared."""

    wanted: SearchEhr | SearchBilling
    candidates: tuple[Candidate, ...]


class WentLive(Value, frozen=True, kw_only=True):
    """The observed practice is live: from now on everything is decided, and every patient is looked at once."""


class IntentRequested(Value, frozen=True, kw_only=True):
    """A write is wanted. `slot` is what it is about within its patient (or practice): one open intent per slot.

    `rule` names the rule that allowed it ("guide: Demographics, kareo -> elation"), `notes` what was adapted on the way.
    `since` is when the change that it carries on was made, as far as known. `looks`: it may have been done in a lost time.
    """

    intent: IntentId
    slot: str
    system: System
    resource: Resource
    write: AnyWrite
    rule: str
    notes: tuple[str, ...] = ()
    since: datetime | None = None
    looks: bool = False


class IntentAttempted(Value, frozen=True, kw_only=True):
    """Recorded BEFORE the call, with the fencing epoch (deploy/DESIGN.md, The flow)."""

    intent: IntentId
    slot: str
    attempt: int
    epoch: int


class IntentSucceeded(Value, frozen=True, kw_only=True):
    """`settled_by` is `answer`, or `lookup` when the answer was lost and a look found it done."""

    intent: IntentId
    slot: str
    attempt: int
    result: AnyResult
    settled_by: str = "answer"


class IntentRefused(Value, frozen=True, kw_only=True):
    """The vendor said no. `text` is for people (and may hold a patient's data), `raw` the vendor's own words."""

    intent: IntentId
    slot: str
    attempt: int
    code: str
    text: str = ""
    raw: str = ""


class IntentOutcomeUnknown(Value, frozen=True, kw_only=True):
    intent: IntentId
    slot: str
    attempt: int


class IntentSuperseded(Value, frozen=True, kw_only=True):
    """Not attempted, and no longer wanted as it was."""

    intent: IntentId
    slot: str
    reason: str = ""


class WaitingRaised(Value, frozen=True, kw_only=True):
    """Something cannot go on by itself. `code` is stable, `text` says what to do, `depends_on` what would change it."""

    slot: str
    code: str
    text: str
    depends_on: tuple[str, ...] = ()


class WaitingCleared(Value, frozen=True, kw_only=True):
    slot: str
    how: str = ""


class MessageUnreadable(Value, frozen=True, kw_only=True):
    """A Kafka message that nobody can read, kept whole in `raw`: shown at its place until it is tried again or accepted."""

    topic: str
    partition: int
    offset: int
    reason: str
    raw: bytes = b""


class WaitingDismissed(Value, frozen=True, kw_only=True):
    """The item waits no longer, though nothing was solved; `about_digest` is of what it is about: another one waits again."""

    slot: str
    code: str
    text: str
    about_digest: str
    who: str
    reason: str


class CommandRefused(Value, frozen=True, kw_only=True):
    """What a person asked for was not done; `code` is stable, `text` says why and what to do, without patients' data."""

    command: str
    code: str
    text: str


Outcome = IntentAttempted | IntentSucceeded | IntentRefused | IntentOutcomeUnknown | IntentSuperseded
"""What becomes of a request, by the intent it names."""

Body = (
    EhrChartObserved
    | EhrChartDeleted
    | EhrChartMerged
    | BillingChartObserved
    | BillingChartVanished
    | BillingAppointmentObserved
    | BillingAppointmentVanished
    | BillObserved
    | Insured
    | InCalendar
    | EhrDirectoryObserved
    | BillingDirectoryObserved
    | RevisitDue
    | ChangeQuarantined
    | ChartLinked
    | LinkMoved
    | BillingLinkMoved
    | ToldApart
    | LinkSuspended
    | LinkResumed
    | ChartUnlinked
    | PairBarred
    | FieldsAgreed
    | ConflictRecorded
    | ObservingBegan
    | CounterpartsFound
    | WentLive
    | LiveChosen
    | OfRestart
    | IntentRequested
    | Outcome
    | WaitingRaised
    | WaitingCleared
    | MessageUnreadable
    | Aside
    | OfPatientKeptOut
    | MapChange
    | Command
    | WaitingDismissed
    | CommandRefused
)

TYPES: dict[str, type[Body]] = {stored_type(body.__name__): body for body in Body.__args__}
VERSIONS: dict[str, int] = dict.fromkeys(TYPES, 1)


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """An envelope with its body.

    `ehr` and `billing` are the charts it is about (none for the practice's own matters), `patient` the key of the projection it
    folds into, "" for the practice directory. `modified` is the source's own modified time, `observed` when the record was read
    (for a webhook: its modified time, the earliest it can stand for). `cause` led to this one, `correlation` began the chain.
    """

    id: EventId
    practice: PracticeId
    origin: Origin
    observed: datetime
    body: Body
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    patient: PatientKey = PatientKey("")
    modified: datetime | None = None
    cause: EventId | None = None
    correlation: EventId | None = None

    @property
    def type(self) -> str:
        return type_of(self.body)


class Recorded(Struct, frozen=True, kw_only=True, gc=False):
    """An event in the store: `sequence` counts from 1 per practice without gaps; `recorded` is the store's clock."""

    sequence: int
    recorded: datetime
    event: Event
