"""Events in words, for people: one sentence each, with no more of a person than may be shown.

Every value of a record goes through `Shown`, which masks unless asked not to. The sentences go to a terminal or the console
only.
"""

from __future__ import annotations

from events.bookings import EhrAppointmentGone, EhrAppointmentObserved, StandsAlready
from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    ConflictSeen,
    DismissRequested,
    GoLiveRequested,
    HoldRequested,
    KeepOutRequested,
    LinkRequested,
    MapGiveBackRequested,
    MapRequested,
    MoveLinkRequested,
    PolicyRemovalRequested,
    RedriveRequested,
    ReleaseRequested,
    ResyncRequested,
    RetryRequested,
    TellApartRequested,
    UnlinkRequested,
)
from events.first_day import LiveChosen
from events.holds import HoldBegan, HoldEnded, KeptOut, LeftOut, RecordLeftUnread
from events.insurance import EhrPoliciesObserved, InsurersLearnt, PoliciesAgreed
from events.maps import MapGivenBack, MapSaved
from events.merges import BillingLinkMoved, ToldApart
from events.records import BillingChart, EhrChart, type_of
from events.restarts import HistoryRestarted, HistoryResumed
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
    FieldConflict,
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
from events.writes import AnyResult, BillingChartWritten, EhrChartWritten, RecordCreated, Searched, System
from projections.words.headings import heading_of
from projections.words.kept_aside import reason_in_words, waiting_in_words
from projections.words.left_alone import left_alone
from projections.words.likeness import how_alike
from projections.words.mapped import map_change, row_in_words, target_in_words
from projections.words.remedy import meaning_of
from projections.words.shown import NOTHING, Shown
from projections.words.subject import (
    counted,
    field_in_words,
    fields_in_words,
    record_in_words,
    rule_in_words,
    slot_in_words,
    spelled_out,
    winners_named,
)
from projections.words.writes import describe_write


def describe(body: Body, shown: Shown = NOTHING, news: str | None = None) -> str:
    """What happened, as a sentence without a full stop.

    `news` are the words for what the observation of a chart changed; without them the person is named.
    """
    told = _seen(body, shown, news)
    return spelled_out(told, shown.systems) if shown.spoken else winners_named(told, shown.systems)


def _seen(body: Body, shown: Shown, news: str | None) -> str:
    match body:
        case EhrChartObserved(chart=chart):
            ending = f", merged into {chart.merged_into}" if chart.merged_into else ", deleted" if chart.deleted else ""
            return f"saw chart {chart.id}{_person(chart, shown, news)}{ending}"
        case EhrChartDeleted():
            return f"saw that chart {body.chart} is deleted"
        case EhrChartMerged():
            return f"saw that chart {body.chart} was merged into {body.survivor}"
        case BillingChartObserved(chart=there):
            cases = f", {counted(len(there.cases), 'case')}" if there.cases is not None and news is None else ""
            return f"saw patient {there.id}{_person(there, shown, news)}{cases}"
        case BillingChartVanished():
            return f"saw that patient {body.patient} is gone"
        case BillingAppointmentObserved(appointment=seen):
            state, reason = "cancelled" if seen.cancelled else seen.moved, shown.with_values(f": {seen.reason}")
            return f"saw {state and state + ' '}appointment {seen.key} at {shown.time(seen.start)} for {seen.minutes} min{reason}"
        case BillingAppointmentVanished():
            return f"saw that appointment {body.key} was deleted"
        case EhrAppointmentObserved(appointment=one):
            reason = shown.with_values(f": {one.description}") if one.description else ""
            status = f" ({one.status})" if one.status else ""
            return f"saw appointment {one.id} at {shown.time(one.start)} for {one.minutes} min{status}{reason}"
        case EhrAppointmentGone():
            return f"saw that appointment {body.appointment} {'moved to another patient' if body.moved else 'was deleted'}"
        case BillObserved(bill=bill):
            day = shown.with_values(f" of {shown.day(bill.service_day)}")
            deferred = shown.with_values(", deferred") if bill.deferred else ""
            return f"saw bill {bill.id}{day}: {counted(len(bill.lines), 'line')}, {bill.status or 'no status'}{deferred}"
        case EhrPoliciesObserved():
            active = sum(1 for one in body.policies if one.active)
            return f"saw the policies of chart {body.chart}: {len(body.policies)}, {active} active"
        case EhrDirectoryObserved() | BillingDirectoryObserved():
            return (
                f"saw who is there: {counted(len(body.providers), 'provider')}, {counted(len(body.locations), 'location')}"
            )
        case RevisitDue():
            return f"looked again: {body.reason}"
    return _set_aside(body, shown)


def _person(chart: EhrChart | BillingChart, shown: Shown, news: str | None) -> str:
    """Whose chart it is, or what of it changed."""
    name = f"{chart.first_name} {chart.last_name}"
    if news is not None:
        return shown.with_names(f" ({name})") + news
    born = f"born {shown.value('birth_date', shown.day(chart.birth_date))}" if chart.birth_date else "birth date not known"
    return f": {shown.with_names(name, 'a person')}, {born}" if shown.any else ""


def _set_aside(body: Body, shown: Shown) -> str:
    """What was set aside, by us or by a person, and what a person has mapped."""
    match body:
        case ChangeQuarantined():
            what = f"{record_in_words(body.resource, body.record)} of {shown.label(body.system)}"
            return f"set aside {what}: {reason_in_words(body.reason, body.path)}"
        case HoldBegan() | HoldEnded() | KeptOut() | LeftOut() | RecordLeftUnread():
            return left_alone(body, shown)
        case MapSaved() | MapGivenBack():
            return map_change(body, shown)
        case MessageUnreadable():
            return f"set aside the message at {body.topic}, partition {body.partition}, offset {body.offset}: {body.reason}"
    return _about_links(body, shown)


def _about_links(body: Body, shown: Shown) -> str:
    ehr, billing = shown.label(System.EHR), shown.label(System.BILLING)
    match body:
        case ChartLinked():
            alike = "" if body.likeness is None else f" ({how_alike(body.likeness, rounded=shown.spoken)})"
            return f"linked {ehr} chart {body.ehr} with {billing} patient {body.billing}: {body.how}{alike}"
        case LinkMoved():
            return f"moved the link of patient {body.billing} from chart {body.source} to {body.target}, which absorbed it"
        case BillingLinkMoved():
            moved = f"moved the link of {ehr} chart {body.ehr} from {billing} patient {body.source} to {body.target}"
            return f"{moved}: {body.how}" if body.how else moved
        case ToldApart():
            said = "are two persons" if body.apart else "may be one person again"
            pair = f"{shown.label(body.system)} {body.one} and {body.other}"
            return f"{pair} {said}, says {body.who}" + (f": {body.reason}" if body.reason else "")
        case LinkSuspended():
            return f"suspended the link: chart {body.ehr} was deleted"
        case LinkResumed():
            return f"resumed the link: chart {body.ehr} was restored"
        case ChartUnlinked():
            return f"unlinked {ehr} chart {body.ehr} from {billing} patient {body.billing}; a person decides about both"
        case PairBarred():
            return f"{ehr} chart {body.ehr} and {billing} patient {body.billing} are not the same person"
        case CounterpartsFound():
            likely = {one.id: one.likeness for one in body.candidates if one.likeness is not None}
            found = "; ".join(f"{id_}: {how_alike(one, rounded=shown.spoken)}" for id_, one in likely.items())
            return f"matching found {counted(len(body.candidates), 'candidate')}" + (f" ({found})" if found else "")
        case ObservingBegan():
            return "only observed from now on: nothing is decided or written"
        case WentLive():
            return "live from now on"
        case HistoryRestarted():
            return f"history restarts after #{body.kept}: the store was restored, and {lost(body)}"
        case HistoryResumed():
            return "both systems were read over the lost time, and what followed from it is settled"
        case FieldsAgreed():
            return f"both sides agree on {fields_in_words(body.fields)}"
        case PoliciesAgreed(one_way=True):
            return "insurance goes both ways no longer"
        case PoliciesAgreed():
            apart = len(body.apart) + len(body.apart_there)
            left = f", {len(body.unsettled)} differ, {apart} on one side only" if body.unsettled or apart else ""
            return f"both sides hold {counted(len(body.terms), 'policy', 'policies')}{left}"
        case InsurersLearnt():
            return f"learnt {counted(len(body.plans), 'insurance plan')} of {billing}"
        case ConflictRecorded():
            return "conflict in " + "; ".join(_conflict(one, shown) for one in body.conflicts)
    return _about_writes(body, shown)


def _live_chosen(body: LiveChosen) -> str:
    what = "the practice goes live once both systems are read" if body.live else "its configuration counts again"
    return f"{what}, says {body.who}" + (f": {body.reason}" if body.reason else "")


def lost(body: HistoryRestarted) -> str:
    """Which events a restored store does not have any more."""
    if body.witnessed > body.kept:
        return f"events #{body.kept + 1} to #{body.witnessed} are lost"
    return f"what was recorded after #{body.kept} before is lost"


def _conflict(one: FieldConflict, shown: Shown) -> str:
    field, wins = field_in_words(one.field), f"{shown.label(one.winner)} wins"
    if not shown.values:
        return f"{field}, {wins}"
    was = "never agreed on" if one.base is None else f"was {shown.written(one.field, one.base)}"
    ehr, billing = shown.written(one.field, one.ehr), shown.written(one.field, one.billing)
    return f"{field}: {was}, {shown.label(System.EHR)} {ehr}, {shown.label(System.BILLING)} {billing}, {wins}"


def _about_writes(body: Body, shown: Shown) -> str:
    names, about = shown.systems, slot_in_words(getattr(body, "slot", ""), shown.systems)
    match body:
        case IntentRequested():
            notes = f" [{'; '.join(body.notes)}]" if body.notes else ""
            return f"wants {describe_write(body.write, shown)}{notes}, by {rule_in_words(body.rule, names)}"
        case IntentAttempted():
            again = f", try {body.attempt}" if body.attempt > 1 else ""
            return f"at work on {about}{again}"
        case IntentSucceeded():
            looked = " before it was tried" if body.attempt == 0 else " after a lost answer"
            found = f", found by looking{looked}" if body.settled_by == "lookup" else ""
            return f"done with {about}: {_result(body.result, shown)}{found}"
        case IntentRefused():
            return f"refused {about}: {shown.quoting(body.text) or body.code}"
        case IntentOutcomeUnknown():
            return f"lost the answer about {about}; looking what came of it"
        case IntentSuperseded():
            return f"gave up {about}: {body.reason}"
        case WaitingRaised():
            text = f": {waiting_in_words(body.slot, body.text, names)}"
            return f"waits ({heading_of(body.code, names)})" + (
                shown.quoting(text, f": {about}") if meaning_of(body.code).quotes else text
            )
        case WaitingCleared():
            return f"waits no longer: {about} ({body.how})"
        case WaitingDismissed():
            return f"accepted as it is: {about} ({heading_of(body.code, names)}), by {body.who}: {body.reason}"
        case LiveChosen():
            return _live_chosen(body)
    return _command(body, shown)


def _result(result: AnyResult, shown: Shown) -> str:
    match result:
        case Searched():
            return counted(len(result.candidates), "candidate")
        case EhrChartWritten():
            return f"{shown.label(System.EHR)} chart {result.chart.id} as wanted"
        case BillingChartWritten():
            return f"{shown.label(System.BILLING)} patient {result.chart.id} as wanted"
        case RecordCreated():
            return f"created {result.id}"
        case StandsAlready():
            return f"created nothing: {result.id} stands there already"
    return "as wanted"


def _command(body: Body, shown: Shown) -> str:
    names, about = shown.systems, slot_in_words(getattr(body, "slot", ""), shown.systems)
    match body:
        case ConflictSeen():
            by = f" by {body.who}" if body.who else ""
            return f"conflict seen{by}: {fields_in_words(body.fields) or 'all'}"
        case CommandRefused():
            return f"did not do it: {body.text}"
        case ResyncRequested():
            what = "treat it as never linked: look again" if body.as_new else "read it again and decide anew"
        case RetryRequested():
            what = f"try again {', '.join(slot_in_words(one, names) for one in body.slots) or 'what was refused'}"
        case BillResendRequested():
            what = f"send bill {body.bill} again"
        case BillReleaseRequested():
            what = f"release bill {body.bill} in {shown.label(System.EHR)}"
        case LinkRequested():
            pair = f"{shown.label(System.EHR)} chart {body.ehr} with {shown.label(System.BILLING)} patient {body.billing}"
            what = f"link {pair}{', though they differ' if body.force else ''}"
        case MoveLinkRequested():
            what = f"move the link of {shown.label(System.BILLING)} patient {body.source} to {body.target}"
        case TellApartRequested():
            pair = f"{shown.label(body.system)} {body.one} and {body.other}"
            what = f"take back that {pair} are two persons" if body.undo else f"keep {pair} apart as two persons"
        case UnlinkRequested():
            both = (f"{name} {id_}" for name, id_ in (("chart", body.ehr), ("patient", body.billing)) if id_ is not None)
            what = f"unlink {' and '.join(both)}"
        case PolicyRemovalRequested():
            what = f"remove policy {body.policy} in {shown.label(System.EHR)}"
        case DismissRequested():
            what = f"accept {about} as it is"
        case HoldRequested():
            what = "hold writes"
        case ReleaseRequested():
            what = f"release {about}"
        case KeepOutRequested():
            what = "take the patient in again" if body.undo else "keep the patient out"
        case GoLiveRequested():
            what = "let the configuration say whether the practice is live" if body.undo else "go live"
        case MapRequested():
            what = f"map {row_in_words(body.kind, body.id, shown)} to {target_in_words(body.kind, body.to, shown)}"
        case MapGiveBackRequested():
            what = f"give {row_in_words(body.kind, body.id, shown)} back to the configuration"
        case RedriveRequested():
            what = f"try {about} again"
        case _:
            return type_of(body)
    return f"{body.who} asked to {what}" + (f": {body.reason}" if body.reason else "")
