"""What a waiting item means for people: whom it is for, whether its text quotes a record, and the command that resolves it.

`MEANINGS` has a row for each code. The command is typed after what the item's reason asks for is done in the vendors' own
screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from events.codes import WaitCode
from events.holds import scope_in
from events.ids import PracticeId, number_of
from events.slots import SlotKind, parse_slot
from projections.state.patient import Patient, is_barred
from projections.terms.names import Names
from projections.words.scope import scope_options


class Audience(StrEnum):
    """Who in a practice can do something about it."""

    FRONT_DESK = "front desk"
    BILLER = "biller"
    OPERATOR = "operator"


class Remedy(StrEnum):
    """What resolves an item. `BY_HAND` is put right in the vendors' screens only and then accepted here, as nothing comes back."""

    RESYNC = "resync"
    RETRY = "retry"
    RETRY_SHARED = "retry for the practice"
    SEEN = "seen"
    LINK_CANDIDATE = "link with the candidate"
    LINK = "link"
    UNLINK = "unlink"
    MOVE_LINK = "move-link"
    BILL = "resend"
    RELEASE_BILL = "release-bill"
    BY_HAND = "dismiss"
    REDRIVE = "redrive"
    REMOVE_POLICY = "remove-policy"
    CHECK_CONFIG = "check-config"
    AUDIT = "audit verify"
    RELEASE = "release"
    MAPS = "maps"


@dataclass(frozen=True)
class Meaning:
    """`quotes`: the item's text repeats words of a vendor or of a record, which may be a patient's data."""

    audience: Audience
    remedy: Remedy = Remedy.RESYNC
    quotes: bool = False


_DESK, _BILLER, _OPERATOR = Audience.FRONT_DESK, Audience.BILLER, Audience.OPERATOR

MEANINGS: Mapping[WaitCode, Meaning] = {
    WaitCode.DIRECTORY_PENDING: Meaning(_OPERATOR),
    WaitCode.UNREACHABLE: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.CREDENTIALS: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.THROTTLED: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.UNUSABLE: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.TROUBLED: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.QUARANTINED: Meaning(_OPERATOR, Remedy.REDRIVE),
    WaitCode.UNREADABLE_MESSAGE: Meaning(_OPERATOR, Remedy.REDRIVE),
    WaitCode.STANDS_STILL: Meaning(_OPERATOR, Remedy.CHECK_CONFIG),
    WaitCode.HISTORY_RESTARTED: Meaning(_OPERATOR, Remedy.AUDIT),
    WaitCode.ON_HOLD: Meaning(_OPERATOR, Remedy.RELEASE),
    WaitCode.CANDIDATES: Meaning(_DESK, Remedy.LINK_CANDIDATE),
    WaitCode.CANDIDATES_ELSEWHERE: Meaning(_DESK, Remedy.LINK_CANDIDATE),
    WaitCode.CHART_NOT_READ: Meaning(_OPERATOR),
    WaitCode.EHR_CHART_DELETED: Meaning(_DESK),
    WaitCode.BILLING_CHART_GONE: Meaning(_DESK, Remedy.MOVE_LINK),
    WaitCode.EXTERNAL_ID_TOO_LONG: Meaning(_OPERATOR, Remedy.BY_HAND),
    WaitCode.INCOMPLETE: Meaning(_DESK),
    WaitCode.LEFT_BEHIND: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.MERGE_CYCLE: Meaning(_DESK, Remedy.UNLINK),
    WaitCode.MERGED_BOTH_LINKED: Meaning(_DESK, Remedy.UNLINK),
    WaitCode.NO_PROVIDER: Meaning(_OPERATOR, Remedy.MAPS),
    WaitCode.NOT_CREATED: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.SURVIVOR_NOT_SEEN: Meaning(_OPERATOR),
    WaitCode.UNLINKED: Meaning(_DESK, Remedy.LINK),
    WaitCode.CONFLICT: Meaning(_DESK, Remedy.SEEN),
    WaitCode.FIELD_CANNOT_CLEAR: Meaning(_DESK),
    WaitCode.FIELD_NO_ROOM: Meaning(_DESK),
    WaitCode.FIELD_NO_STREET: Meaning(_DESK),
    WaitCode.FIELD_NOT_A_DATE: Meaning(_DESK),
    WaitCode.FIELD_NOT_A_PHONE: Meaning(_DESK),
    WaitCode.FIELD_NOT_A_STATE: Meaning(_DESK),
    WaitCode.FIELD_NOT_A_ZIP: Meaning(_DESK),
    WaitCode.FIELD_NOT_AN_EMAIL: Meaning(_DESK),
    WaitCode.FIELD_REQUIRED: Meaning(_DESK),
    WaitCode.FIELD_TOO_LONG: Meaning(_DESK),
    WaitCode.FIELD_UNKNOWN_SEX: Meaning(_DESK),
    WaitCode.FIELD_UNMAPPED: Meaning(_OPERATOR, Remedy.MAPS),
    WaitCode.BEYOND_CASE: Meaning(_BILLER, Remedy.REMOVE_POLICY),
    WaitCode.CARRIER_PENDING: Meaning(_BILLER),
    WaitCode.CARRIER_REFUSED: Meaning(_BILLER, Remedy.RETRY_SHARED, quotes=True),
    WaitCode.CARRIER_UNKNOWN: Meaning(_BILLER),
    WaitCode.INSURED_SELF: Meaning(_BILLER),
    WaitCode.NO_PLAN: Meaning(_BILLER),
    WaitCode.NO_RANK: Meaning(_BILLER, Remedy.BY_HAND),
    WaitCode.NOT_AN_AMOUNT: Meaning(_BILLER),
    WaitCode.PLAN_PENDING: Meaning(_BILLER),
    WaitCode.PLAN_REFUSED: Meaning(_BILLER, Remedy.RETRY_SHARED, quotes=True),
    WaitCode.PLAN_UNKNOWN: Meaning(_BILLER),
    WaitCode.POLICIES_DIFFER: Meaning(_BILLER, Remedy.SEEN),
    WaitCode.POLICIES_PENDING: Meaning(_OPERATOR),
    WaitCode.RANK_TWICE: Meaning(_DESK),
    WaitCode.REMOVED_IN_CHART: Meaning(_BILLER),
    WaitCode.BOOKED_FOR_FORMER: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.BOOKED_TWICE: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.NO_CALENDAR: Meaning(_OPERATOR, Remedy.MAPS),
    WaitCode.NOT_BOOKED: Meaning(_OPERATOR, Remedy.MAPS),
    WaitCode.NOT_FOLLOWED: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.OVER_UNBOOKED: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.STANDS_ALREADY: Meaning(_DESK, Remedy.BY_HAND),
    WaitCode.BILL_ERROR: Meaning(_BILLER, Remedy.BILL, quotes=True),
    WaitCode.BILLED_TO_FORMER: Meaning(_BILLER, Remedy.BY_HAND),
    WaitCode.CASE_PENDING: Meaning(_BILLER),
    WaitCode.CASES_PENDING: Meaning(_BILLER),
    WaitCode.CHART_ABSORBED: Meaning(_BILLER, Remedy.BY_HAND),
    WaitCode.CHART_PENDING: Meaning(_BILLER),
    WaitCode.DEFERRED: Meaning(_BILLER, Remedy.RELEASE_BILL),
    WaitCode.DIFFERS_AFTER_SENT: Meaning(_BILLER, Remedy.BY_HAND),
    WaitCode.NO_PRIMARY_CASE: Meaning(_BILLER),
    WaitCode.UNSIGNED: Meaning(_BILLER),
    WaitCode.REFUSED: Meaning(_DESK, Remedy.RETRY, quotes=True),
}

SHOWN_ELSEWHERE = frozenset({WaitCode.CANDIDATES_ELSEWHERE.value})
"""Codes that no list shows and no count counts: what they wait for is another item, which is there."""

UNKNOWN = Meaning(Audience.OPERATOR, quotes=True)
"""Of a code that only a later version knows."""

_BY_VALUE = {code.value: meaning for code, meaning in MEANINGS.items()}


def meaning_of(code: str) -> Meaning:
    """What a stored code means."""
    return _BY_VALUE.get(code, UNKNOWN)


def remedy_of(slot: str, code: str, *, of_patient: bool) -> Remedy:
    """What resolves an item, as far as its slot and code tell: a button of the console, and the command's word."""
    kind = parse_slot(slot).kind
    if of_patient:
        found = meaning_of(code).remedy
        return Remedy.BILL if found is Remedy.RETRY and kind is SlotKind.BILL else found
    return OF_PRACTICE.get(kind, Remedy.BY_HAND) if kind is not None else Remedy.BY_HAND


OF_PRACTICE = {
    SlotKind.QUARANTINE: Remedy.REDRIVE,
    SlotKind.RESTART: Remedy.AUDIT,
    SlotKind.HOLD: Remedy.RELEASE,
    SlotKind.SYSTEM: Remedy.CHECK_CONFIG,
    SlotKind.STANDING: Remedy.CHECK_CONFIG,
}
"""What resolves the practice's own items; any other is put right by hand."""


def remedy(practice: PracticeId, patient: Patient | None, slot: str, code: str, names: Names) -> str:
    """The command, complete but for what only the person can know (in capitals)."""
    command = _of_practice(practice, slot, names) if patient is None else _of_patient(practice, patient, slot, code, names)
    return f"chartwire {command}"


def _of_practice(practice: PracticeId, slot: str, names: Names) -> str:
    found = remedy_of(slot, "", of_patient=False)
    match found:
        case Remedy.RELEASE:
            scope = scope_in(slot)
            return f"{found} {practice}{scope_options(scope, names) if scope is not None else ''}"
        case Remedy.REDRIVE:
            return f"{found} {practice} {slot}"
        case Remedy.AUDIT:
            return f"{found} {practice}"
        case Remedy.CHECK_CONFIG:
            return found.value
    return f"{Remedy.BY_HAND} {practice} {slot} --reason TEXT"


def _of_patient(practice: PracticeId, patient: Patient, slot: str, code: str, names: Names) -> str:
    chart, id_ = chart_of(patient, names), parse_slot(slot).id
    match remedy_of(slot, code, of_patient=True):
        case Remedy.BILL:
            return f"resend {practice} {id_}"
        case Remedy.RELEASE_BILL:
            return f"release-bill {practice} {id_}"
        case Remedy.BY_HAND:
            return f"dismiss {practice} {chart} {slot} --reason TEXT"
        case Remedy.RETRY:
            return f"retry {practice} {chart} {slot}"
        case Remedy.RETRY_SHARED:
            return f"retry {practice} {slot}"
        case Remedy.SEEN:
            return f"seen {practice} {chart} {id_}"
        case Remedy.LINK_CANDIDATE:
            return _link(practice, patient, _candidate(patient), names)
        case Remedy.LINK:
            return _link(practice, patient, None, names)
        case Remedy.MOVE_LINK:
            return f"move-link {practice} {chart}"
        case Remedy.REMOVE_POLICY:
            return f"remove-policy {practice} {chart} {id_}"
        case Remedy.MAPS:
            return f"maps {practice} --missing"
        case Remedy.UNLINK:
            return f"unlink {practice} {chart}"
    return f"resync {practice} {chart}"


def chart_of(patient: Patient, names: Names) -> str:
    """A chart by which commands find the patient."""
    number = number_of(patient.key)
    return names.patient(number) if patient.in_billing else names.chart(number)


def _candidate(patient: Patient) -> int | None:
    """The one chart on the other side that may be the patient's; None for several."""
    found = patient.search.candidates if patient.search else ()
    ids = [one.id for one in found if not is_barred(patient, one.id, patient.in_billing)]
    return ids[0] if len(ids) == 1 else None


def _link(practice: PracticeId, patient: Patient, other: int | None, names: Names) -> str:
    """With the other chart the whole command; `unlink` with the same arguments says that it is somebody else."""
    there = "ID" if other is None else other
    mine = number_of(patient.key)
    ehr, billing = (there, mine) if patient.in_billing else (mine, there)
    return f"link {practice} {names.ehr.prefix}:{ehr} {names.billing.prefix}:{billing}"
