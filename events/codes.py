"""The closed sets of reasons: why something waits for a person, and why a command was refused.

A stored event keeps the value as text, so an event of a later version with a code unknown here can still be read.
What each code means for people stands in `projections.words.remedy`.
"""

from __future__ import annotations

from enum import StrEnum


class WaitCode(StrEnum):
    """Why something cannot go on by itself (`WaitingRaised.code`)."""

    # the practice and its systems
    DIRECTORY_PENDING = "directory-pending"
    UNREACHABLE = "unreachable"
    CREDENTIALS = "credentials"
    THROTTLED = "throttled"
    UNUSABLE = "unusable"
    TROUBLED = "troubled"
    QUARANTINED = "quarantined"
    UNREADABLE_MESSAGE = "unreadable-message"
    STANDS_STILL = "stands-still"
    HISTORY_RESTARTED = "history-restarted"
    ON_HOLD = "on-hold"

    # charts and links
    CANDIDATES = "candidates"
    CANDIDATES_ELSEWHERE = "candidates-elsewhere"
    CHART_NOT_READ = "chart-not-read"
    EHR_CHART_DELETED = "elation-chart-deleted"
    BILLING_CHART_GONE = "kareo-chart-gone"
    EXTERNAL_ID_TOO_LONG = "external-id-too-long"
    INCOMPLETE = "incomplete"
    LEFT_BEHIND = "left-behind"
    MERGE_CYCLE = "merge-cycle"
    MERGED_BOTH_LINKED = "merged-both-linked"
    NO_PROVIDER = "no-provider"
    NOT_CREATED = "not-created"
    SURVIVOR_NOT_SEEN = "survivor-not-seen"
    UNLINKED = "unlinked"

    # demographics: one for each `Problem` of a field's codec
    CONFLICT = "conflict"
    FIELD_CANNOT_CLEAR = "field-cannot-clear"
    FIELD_NO_ROOM = "field-no-room"
    FIELD_NO_STREET = "field-no-street"
    FIELD_NOT_A_DATE = "field-not-a-date"
    FIELD_NOT_A_PHONE = "field-not-a-phone"
    FIELD_NOT_A_STATE = "field-not-a-state"
    FIELD_NOT_A_ZIP = "field-not-a-zip"
    FIELD_NOT_AN_EMAIL = "field-not-an-email"
    FIELD_REQUIRED = "field-required"
    FIELD_TOO_LONG = "field-too-long"
    FIELD_UNKNOWN_SEX = "field-unknown-sex"
    FIELD_UNMAPPED = "field-unmapped"

    # insurance
    BEYOND_CASE = "beyond-case"
    CARRIER_PENDING = "carrier-pending"
    CARRIER_REFUSED = "carrier-refused"
    CARRIER_UNKNOWN = "carrier-unknown"
    INSURED_SELF = "insured-self"
    NO_PLAN = "no-plan"
    NO_RANK = "no-rank"
    NOT_AN_AMOUNT = "not-an-amount"
    PLAN_PENDING = "plan-pending"
    PLAN_REFUSED = "plan-refused"
    PLAN_UNKNOWN = "plan-unknown"
    POLICIES_DIFFER = "policies-differ"
    POLICIES_PENDING = "policies-pending"
    RANK_TWICE = "rank-twice"
    REMOVED_IN_CHART = "removed-in-chart"

    # appointments
    BOOKED_FOR_FORMER = "booked-for-former"
    BOOKED_TWICE = "booked-twice"
    NO_CALENDAR = "no-calendar"
    NOT_BOOKED = "not-booked"
    NOT_FOLLOWED = "not-followed"
    OVER_UNBOOKED = "over-unbooked"
    STANDS_ALREADY = "stands-already"

    # bills
    BILL_ERROR = "bill-error"
    BILLED_TO_FORMER = "billed-to-former"
    CASE_PENDING = "case-pending"
    CASES_PENDING = "cases-pending"
    CHART_ABSORBED = "chart-absorbed"
    CHART_PENDING = "chart-pending"
    DEFERRED = "deferred"
    DIFFERS_AFTER_SENT = "differs-after-sent"
    NO_PRIMARY_CASE = "no-primary-case"
    UNSIGNED = "unsigned"

    # any write
    REFUSED = "refused"


class CommandCode(StrEnum):
    """Why what a person asked for was not done (`CommandRefused.code`)."""

    ANOTHER_PRACTICE = "another-practice"
    CHANGED = "changed"
    DEFECT = "defect"
    DIFFERS = "differs"
    GONE = "gone"
    KEPT_OUT = "kept-out"
    LINKED = "linked"
    NO_CONFLICT = "no-conflict"
    NOT_HELD = "not-held"
    NOT_KNOWN = "not-known"
    NOT_LINKED = "not-linked"
    NOT_QUARANTINED = "not-quarantined"
    NOT_REFUSED = "not-refused"
    NOT_WAITING = "not-waiting"
    NOTHING_IN_IT = "nothing-in-it"
    PASSES_BY_ITSELF = "passes-by-itself"
    SENT = "sent"
    STILL_THERE = "still-there"
    STILL_UNREADABLE = "still-unreadable"
    UNDER_WAY = "under-way"
