"""Events in words, for people: one sentence each. They hold patients' data and go to a terminal or the console only."""

from __future__ import annotations

from events.commands import (
    BillResendRequested,
    ConflictSeen,
    DismissRequested,
    LinkRequested,
    RedriveRequested,
    ResyncRequested,
    RetryRequested,
    UnlinkRequested,
)
from events.records import type_of
from events.schema import (
    BillingAppointmentObserved,
    BillingAppointmentVanished,
    BillingChartObserved,
    BillingChartVanished,
    BillingDirectoryObserved,
    BillObserved,
    Body,
    ChangeQuarantined,
    ChartLinked,
    ChartUnlinked,
    CommandRefused,
    ConflictRecorded,
    CounterpartsFound,
    EhrChartDeleted,
    EhrChartMerged,
    EhrChartObserved,
    EhrDirectoryObserved,
    FieldsAgreed,
    IntentAttempted,
    IntentOutcomeUnknown,
    IntentRefused,
    IntentRequested,
    IntentSucceeded,
    IntentSuperseded,
    LinkMoved,
    LinkResumed,
    LinkSuspended,
    MessageUnreadable,
    ObservingBegan,
    PairBarred,
    RevisitDue,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
    WentLive,
)
from events.writes import (
    AddBillingCase,
    AnyResult,
    AnyWrite,
    BillingChartWritten,
    CancelEhrAppointment,
    CreateBillingChart,
    CreateCarrier,
    CreateEhrAppointment,
    CreateEhrChart,
    CreateEncounter,
    CreatePlan,
    DeleteEhrAppointment,
    EhrChartWritten,
    MarkBilled,
    MarkBillError,
    RecordCreated,
    SearchBilling,
    Searched,
    SearchEhr,
    SyncPolicies,
    UpdateBillingChart,
    UpdateEhrAppointment,
    UpdateEhrChart,
)


def describe(body: Body) -> str:
    """What happened, as a sentence without a full stop."""
    match body:
        case EhrChartObserved(chart=chart):
            state = f", merged into {chart.merged_into}" if chart.merged_into else ", deleted" if chart.deleted else ""
            return f"saw chart {chart.id}: {chart.first_name} {chart.last_name}, born {chart.birth_date}{state}"
        case EhrChartDeleted():
            return f"saw that chart {body.chart} is deleted"
        case EhrChartMerged():
            return f"saw that chart {body.chart} was merged into {body.survivor}"
        case BillingChartObserved(chart=chart):
            cases = "" if chart.cases is None else f", {len(chart.cases)} cases"
            return f"saw patient {chart.id}: {chart.first_name} {chart.last_name}, born {chart.birth_date}{cases}"
        case BillingChartVanished():
            return f"saw that patient {body.patient} is gone"
        case BillingAppointmentObserved(appointment=seen):
            state = "cancelled " if seen.cancelled else ""
            return f"saw {state}appointment {seen.key} at {seen.start:%Y-%m-%d %H:%M}Z for {seen.minutes} min: {seen.reason}"
        case BillingAppointmentVanished():
            return f"saw that appointment {body.key} was deleted"
        case BillObserved(bill=bill):
            deferred = ", deferred" if bill.deferred else ""
            return (
                f"saw bill {bill.id} of {bill.service_day}: {len(bill.lines)} lines, {bill.status or 'no status'}{deferred}"
            )
        case EhrDirectoryObserved() | BillingDirectoryObserved():
            return f"saw the directory: {len(body.providers)} providers, {len(body.locations)} locations"
        case ChangeQuarantined():
            return f"set aside {body.system.value} {body.resource} {body.record}: {body.reason} at {body.path}"
        case RevisitDue():
            return f"looked again: {body.reason}"
    return _decision(body)


def _decision(body: Body) -> str:
    match body:
        case ChartLinked():
            return f"linked Elation chart {body.ehr} with Kareo patient {body.billing}: {body.how}"
        case LinkMoved():
            return f"moved the link of patient {body.billing} from chart {body.source} to {body.target}, which absorbed it"
        case LinkSuspended():
            return f"suspended the link: chart {body.ehr} was deleted"
        case LinkResumed():
            return f"resumed the link: chart {body.ehr} was restored"
        case ObservingBegan():
            return "only observed from now on: nothing is decided or written"
        case CounterpartsFound():
            return f"matching found {len(body.candidates)} candidates"
        case WentLive():
            return "live from now on"
        case FieldsAgreed():
            return f"both sides agree on {', '.join(body.fields)}"
        case ConflictRecorded():
            fields = "; ".join(
                f"{one.field}: was {one.base!r}, Elation {one.ehr!r}, Kareo {one.billing!r}, {one.winner.value} wins"
                for one in body.conflicts
            )
            return f"conflict in {fields}"
        case ConflictSeen():
            by = f" by {body.who}" if body.who else ""
            return f"conflict seen{by}: {', '.join(body.fields) or 'all'}"
        case IntentRequested():
            notes = f" [{'; '.join(body.notes)}]" if body.notes else ""
            return f"wants {write_in_words(body.write)}{notes}, by {body.rule}"
        case IntentAttempted():
            return f"attempt {body.attempt} at {body.slot} (epoch {body.epoch})"
        case IntentSucceeded():
            lost = ", found by looking after a lost answer" if body.settled_by == "lookup" else ""
            return f"done {body.slot}: {_result(body.result)}{lost}"
        case IntentRefused():
            return f"refused {body.slot}: {body.text or body.code}"
        case IntentOutcomeUnknown():
            return f"lost the answer of {body.slot}; looking what came of it"
        case IntentSuperseded():
            return f"gave up {body.slot}: {body.reason}"
        case WaitingRaised():
            return f"waits ({body.code}): {body.text}"
        case WaitingCleared():
            return f"waits no longer: {body.slot} ({body.how})"
        case ChartUnlinked():
            return f"unlinked Elation chart {body.ehr} from Kareo patient {body.billing}; a person decides about both"
        case PairBarred():
            return f"Elation chart {body.ehr} and Kareo patient {body.billing} are not the same person"
        case WaitingDismissed():
            return f"accepted as it is: {body.slot} ({body.code}), by {body.who}: {body.reason}"
        case MessageUnreadable():
            return f"set aside the message at {body.topic}, partition {body.partition}, offset {body.offset}: {body.reason}"
        case CommandRefused():
            return f"did not do it ({body.code}): {body.text}"
    return _command(body)


def _command(body: Body) -> str:
    match body:
        case ResyncRequested():
            what = "treat it as never linked: look again" if body.as_new else "read it again and decide anew"
        case RetryRequested():
            what = f"try again {', '.join(body.slots) or 'what was refused'}"
        case BillResendRequested():
            what = f"send bill {body.bill} again"
        case LinkRequested():
            forced = ", though they differ" if body.force else ""
            what = f"link Elation chart {body.ehr} with Kareo patient {body.billing}{forced}"
        case UnlinkRequested():
            names = (f"{name} {id_}" for name, id_ in (("chart", body.ehr), ("patient", body.billing)) if id_ is not None)
            what = f"unlink {' and '.join(names)}"
        case DismissRequested():
            what = f"accept {body.slot} as it is"
        case RedriveRequested():
            what = f"try {body.slot} again"
        case _:
            return type_of(body)
    return f"{body.who} asked to {what}" + (f": {body.reason}" if body.reason else "")


def write_in_words(write: AnyWrite) -> str:
    """What a write would do."""
    match write:
        case SearchEhr() | SearchBilling():
            where = "Elation" if isinstance(write, SearchEhr) else "Kareo"
            return f"to look for {write.first_name} {write.last_name} in {where}"
        case CreateEhrChart():
            return "to create the chart in Elation"
        case CreateBillingChart():
            return "to create the patient in Kareo"
        case UpdateEhrChart() | UpdateBillingChart():
            where = "Elation" if isinstance(write, UpdateEhrChart) else "Kareo"
            changes = ", ".join(f"{name} = {value!r}" for name, value in write.fields.items())
            return f"to set {changes} in {where}"
        case AddBillingCase():
            return f"to add the case {write.case_name!r} in Kareo"
        case CreateCarrier() | CreatePlan():
            kind = "carrier" if isinstance(write, CreateCarrier) else "plan"
            return f"to create the {kind} {write.name!r} in Elation"
        case SyncPolicies():
            return f"{len(write.terms)} policies in Elation, {len(write.remove)} removed"
        case CreateEhrAppointment() | UpdateEhrAppointment():
            verb = "create" if isinstance(write, CreateEhrAppointment) else "change"
            return (
                f"to {verb} the appointment at {write.terms.start:%Y-%m-%d %H:%M}Z for {write.terms.minutes} min in Elation"
            )
        case CancelEhrAppointment():
            return f"to cancel appointment {write.appointment} in Elation"
        case DeleteEhrAppointment():
            return f"to delete appointment {write.appointment} in Elation"
        case CreateEncounter():
            codes = ", ".join(line.cpt for line in write.lines)
            return f"to send bill {write.bill} to Kareo as an encounter of {write.service_day} ({codes})"
        case MarkBilled():
            return f"to mark bill {write.bill} as billed with reference {write.ref_number}"
        case MarkBillError():
            return f"to put a Bill Error on bill {write.bill}: {write.text}"


def _result(result: AnyResult) -> str:
    match result:
        case Searched():
            return f"{len(result.candidates)} candidates"
        case EhrChartWritten():
            return f"Elation chart {result.chart.id} as wanted"
        case BillingChartWritten():
            return f"Kareo patient {result.chart.id} as wanted"
        case RecordCreated():
            return f"created {result.id}"
    return "as wanted"
