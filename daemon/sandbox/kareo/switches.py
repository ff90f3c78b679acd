"""What nobody documents about the live service, both ways: each switch is one open question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(kw_only=True, slots=True)
class KareoSwitches:
    """May be changed while the sandbox runs; the next call goes by it. The defaults are the likeliest answers."""

    list_zone: str = "America/Los_Angeles"
    """Zone of CreatedDate, LastModifiedDate, of the filters, and of datetimes sent without a zone."""
    list_inactive_policies: bool = False
    list_inactive_cases: bool = False
    policy_edits_modify_patient: bool = False
    """Whether people's edits of cases, policies and plans move the patient's LastModifiedDate."""
    self_policies_empty: bool = True
    """Policies of relationship Self come with empty Insured* members."""
    insured_gender_letters: bool = False
    """InsuredGender as M, F, U instead of words."""
    deleted_appointment: Literal["refused", "marked"] = "refused"
    """GetAppointment of a deleted one: an error, or the record with IsDeleted."""
    unknown_patient: Literal["nil", "empty", "refused"] = "nil"
    """GetPatient of an id that does not exist."""
    phantom_rows: bool = True
    """An empty list is one empty row."""
    ticks: Literal["honoured", "empty_row"] = "honoured"
    """Ticked Fields give those fields, or one empty row whatever is there."""
    name_filters: Literal["equal", "prefix", "contains"] = "equal"
    empty_clears: bool = True
    """The empty string clears a field in UpdatePatient; else it is taken as absent."""
    absent_erases_appointment: bool = True
    """UpdateAppointment without its non-nillable members sets them to 0 or false."""
    absent_status_in_update: Literal["sets_unknown", "kept"] = "sets_unknown"
    """What UpdateAppointment makes of a status that it is not told."""
    create_appointment: Literal["integers_ok", "untranslatable", "needs_guids", "reason_required"] = "integers_ok"
    """Whether the account takes new appointments: any, none (two texts), or only those with a reason."""
    appointment_notes_width: int | None = None
    """Characters that the notes of an appointment hold; the rest is cut off."""
    appointment_list_lag_seconds: float = 0.0
    """How long GetAppointments does not show what was created."""
    appointment_times_without_zone: Literal["utc", "server_zone"] = "utc"
    delete_twice: Literal["refused", "ok_false", "ok_true"] = "refused"
    """What a second DeleteAppointment of the same one is answered."""
    case_required: bool = True
    """CreateEncounter without Case is refused; else the default case is taken."""
    units_required: bool = True
    """A service line without Units is refused; else it is one unit."""
    security_on_errors: bool = True
    """SecurityResponse is filled on errors too; else nil."""
    iso_birth_dates: bool = False
    """DOB as YYYY-MM-DD, the guide's form, instead of M/D/YYYY, the one seen."""
    unknown_members: bool = False
    """Rows hold a member that this WSDL does not know, as newer servers' do."""
    insured_clears_employer_box: bool = True
    """Naming the holder of a policy clears its box "policy through employer", which nothing reads."""
    added_case_becomes_primary: Literal["only_if_none", "never", "always"] = "only_if_none"
    policy_without_id: Literal["adds", "refused_if_same_number"] = "adds"
    """A policy in an update that names no id: a second one of the same number is added, or refused."""
    unknown_company: Literal["refused", "ignored"] = "refused"
    """A CompanyID that the customer does not have, beside a plan."""
