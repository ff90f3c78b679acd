"""What waits, in a few words that people of the trade use: a heading for each code, with the systems as the practice calls them."""

from __future__ import annotations

from collections.abc import Mapping

from events.codes import WaitCode
from projections.terms.names import Names

HEADINGS: Mapping[WaitCode, str] = {
    WaitCode.DIRECTORY_PENDING: "providers and places not read yet",
    WaitCode.UNREACHABLE: "a system cannot be reached",
    WaitCode.CREDENTIALS: "a system does not let us in",
    WaitCode.THROTTLED: "a system asks us to slow down",
    WaitCode.UNUSABLE: "answers that cannot be used",
    WaitCode.TROUBLED: "a system answers with errors",
    WaitCode.QUARANTINED: "a record that cannot be used",
    WaitCode.UNREADABLE_MESSAGE: "a message that cannot be read",
    WaitCode.STANDS_STILL: "nothing is read any more",
    WaitCode.HISTORY_RESTARTED: "the history began anew",
    WaitCode.ON_HOLD: "writes on hold",
    WaitCode.CANDIDATES: "one person or two?",
    WaitCode.CANDIDATES_ELSEWHERE: "one person or two? (asked at the other chart)",
    WaitCode.CHART_NOT_READ: "chart not read yet",
    WaitCode.EHR_CHART_DELETED: "chart deleted in {ehr}",
    WaitCode.BILLING_CHART_GONE: "patient gone in {billing}",
    WaitCode.EXTERNAL_ID_TOO_LONG: "identifier too long",
    WaitCode.INCOMPLETE: "something needed is missing",
    WaitCode.LEFT_BEHIND: "left behind by a merge",
    WaitCode.MERGE_CYCLE: "merged in a circle",
    WaitCode.MERGED_BOTH_LINKED: "merged, and both were linked",
    WaitCode.NO_PROVIDER: "no provider for the chart",
    WaitCode.NOT_CREATED: "could not be created",
    WaitCode.SURVIVOR_NOT_SEEN: "merged into a chart not read yet",
    WaitCode.UNLINKED: "not linked any more",
    WaitCode.CONFLICT: "changed on both sides",
    WaitCode.FIELD_CANNOT_CLEAR: "cannot be emptied there",
    WaitCode.FIELD_NO_ROOM: "no room for it there",
    WaitCode.FIELD_NO_STREET: "address without a street",
    WaitCode.FIELD_NOT_A_DATE: "not a date",
    WaitCode.FIELD_NOT_A_PHONE: "not a phone number",
    WaitCode.FIELD_NOT_A_STATE: "not a state",
    WaitCode.FIELD_NOT_A_ZIP: "not a ZIP code",
    WaitCode.FIELD_NOT_AN_EMAIL: "not an e-mail address",
    WaitCode.FIELD_REQUIRED: "needed, and empty",
    WaitCode.FIELD_TOO_LONG: "too long",
    WaitCode.FIELD_UNKNOWN_SEX: "sex not understood",
    WaitCode.FIELD_UNMAPPED: "no counterpart there",
    WaitCode.BEYOND_CASE: "a policy more than the case has",
    WaitCode.CARRIER_PENDING: "insurance company not there yet",
    WaitCode.CARRIER_REFUSED: "insurance company refused",
    WaitCode.CARRIER_UNKNOWN: "insurance company unknown",
    WaitCode.INSURED_SELF: "the patient is the insured now",
    WaitCode.NO_PLAN: "policy without a plan",
    WaitCode.NO_RANK: "policy without a rank",
    WaitCode.NOT_AN_AMOUNT: "not an amount of money",
    WaitCode.PLAN_PENDING: "insurance plan not there yet",
    WaitCode.PLAN_REFUSED: "insurance plan refused",
    WaitCode.PLAN_UNKNOWN: "insurance plan unknown",
    WaitCode.POLICIES_DIFFER: "policies differ",
    WaitCode.POLICIES_PENDING: "policies not read yet",
    WaitCode.RANK_TWICE: "two policies of one rank",
    WaitCode.REMOVED_IN_CHART: "policy removed in {ehr}",
    WaitCode.BOOKED_FOR_FORMER: "booked for the patient it was before",
    WaitCode.BOOKED_TWICE: "booked twice",
    WaitCode.NO_CALENDAR: "no calendar for the appointment",
    WaitCode.NOT_BOOKED: "appointment not booked there",
    WaitCode.NOT_FOLLOWED: "a change of the appointment is not carried over",
    WaitCode.OVER_UNBOOKED: "cancelled, and never booked",
    WaitCode.STANDS_ALREADY: "stands in {billing} already",
    WaitCode.BILL_ERROR: "bill error",
    WaitCode.BILLED_TO_FORMER: "billed to the patient it was linked with before",
    WaitCode.CASE_PENDING: "case not there yet",
    WaitCode.CASES_PENDING: "cases not read yet",
    WaitCode.CHART_ABSORBED: "chart merged into another",
    WaitCode.CHART_PENDING: "chart not linked yet",
    WaitCode.DEFERRED: "deferred",
    WaitCode.DIFFERS_AFTER_SENT: "edited after it was sent",
    WaitCode.NO_PRIMARY_CASE: "no primary case",
    WaitCode.UNSIGNED: "not signed yet",
    WaitCode.REFUSED: "refused there",
}

_BY_VALUE = {code.value: heading for code, heading in HEADINGS.items()}


def heading_of(code: str, names: Names) -> str:
    """A few words for a code; of one that only a later version knows the code itself."""
    if code not in _BY_VALUE:
        return code.replace("-", " ")
    return _BY_VALUE[code].format(ehr=names.ehr.label, billing=names.billing.label)
