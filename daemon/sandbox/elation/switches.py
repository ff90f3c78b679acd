"""What Elation does not document, or documents twice: every answer that the real thing might give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ElationSwitches:
    """One field per open question; the default is what was seen in recorded answers, else the harder case for a client."""

    # OAuth2 and limits
    token_seconds: float = 36000.0
    concurrent_limit: int | None = None
    per_second_limit: int | None = None

    # Lists
    default_page: int = 25
    limit_over_maximum: Literal["capped", "refused"] = "capped"
    next_without_slash: bool = False
    lists_omit_deleted_charts: bool = True
    lists_omit_deleted: bool = True
    untidy_dates: bool = True
    """No zone on the dates of phones, statuses and subscriptions; microseconds on notes and places."""

    # Charts
    redirect_form: Literal["number", "path"] = "number"
    duplicates_ignore_sex: bool = False
    duplicates_include_merged: bool = False
    deleted_chart_get: Literal["gone", "visible"] = "gone"
    merged_chart_get: Literal["visible", "gone", "moved"] = "visible"
    merge_deletes: bool = True
    merged_action: Literal["saved", "deleted"] = "saved"
    phone_digits_only: bool = True
    replaced_entries_stay: bool = False
    """Phones and e-mails that a write leaves out stay in the array, with a `deleted_date`."""
    metadata_merges: bool = False

    # Insurance
    policy_visible_seconds: float = 0.0
    """How long reads still show the state before a policy's write, by the sandbox's clock."""
    policy_touches_chart: bool = True
    policy_event: Literal["others", "all", "none"] = "others"
    """Who gets the `patients` event that follows a policy's change: not its author, everybody, nobody."""
    policy_event_seconds: float = 0.0
    deactivated_rank_cleared: bool = True
    historical_policy_listed: bool = True
    """Whether a list of policies shows those that are not active."""
    policy_delete_is_soft: bool = False
    """A deleted policy stays, as an inactive one without a rank."""

    # Appointments
    recurring_occurrences: Literal["own_ids", "only_schedule"] = "own_ids"
    """A series in the list: each occurrence as an appointment of its own, or the first one alone with the schedule's id."""
    split_series_changes_schedule_id: bool = True
    """Whether "this and following" gives the later occurrences another schedule."""
    slot_becomes_appointment: Literal["new_id", "same_id"] = "new_id"
    """An open slot that a patient takes: another record, or the same one."""
    partial_appointment_updates: bool = False
    reason_required: bool = False

    # Bills
    billed_bill_immutable: bool = True
    resaved_status: Literal["Unbilled", "ResolvedError"] = "Unbilled"
    release_clears_deferred: bool = True
    bill_place_code_text: bool = False

    # Webhooks
    application_id_form: Literal["text", "number"] = "text"
    deleted_data: Literal["full", "id"] = "full"
    saved_per_action: int = 1
    retry_seconds: float = 0.5
    retry_cap_seconds: float = 60.0
    retry_hours: float = 72.0
    webhook_timeout_seconds: float = 10.0
