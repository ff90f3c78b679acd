"""What people can ask for, for the command line and the console alike: each function checks what was given and makes the commands.

Nothing is asked yet: `daemon/operator/commands.py` publishes a command and follows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from daemon.operator.commands import Followed, command
from daemon.operator.find import Looked, find_patient
from daemon.tables import observed
from events.commands import (
    BillResendRequested,
    Command,
    ConflictSeen,
    DismissRequested,
    LinkRequested,
    RedriveRequested,
    ResyncRequested,
    RetryRequested,
    UnlinkRequested,
)
from events.ids import BillingPatientId, Charts, EhrChartId, PracticeId
from events.schema import Origin
from events.slots import set_aside_in
from events.store import Store
from events.writes import Resource, System
from projections.deciding.repair import COMPARED, differing
from projections.deciding.unlinked import link_of
from projections.rules.fields import BY_NAME, billing_view, ehr_view, same
from projections.rules.reconcile import reconcile
from projections.terms.policy import Direction, Policy

Asks = list[Followed]


class NotPossible(Exception):
    """What was given cannot be asked for; the text is for the person. `found`: it was given well, but nothing is there."""

    def __init__(self, text: str, *, found: bool = True) -> None:
        super().__init__(text)
        self.found = found


@dataclass(frozen=True)
class Asking:
    """Who asks for something in a practice, and why. `once` names the asking: the same deed of it twice is done once."""

    store: Store
    policy: Policy
    who: str
    reason: str = ""
    once: str = ""

    @property
    def practice(self) -> PracticeId:
        return self.policy.practice

    def ask(self, body: Command, charts: Charts, part: object = "") -> Followed:
        """The command; `part` tells apart those of one asking."""
        return Followed(command(self.practice, body, charts, once=(self.once, *charts, part) if self.once else ()))

    async def looked(self, charts: Charts) -> Looked:
        """The patient of these charts. Raises NotPossible."""
        found = await find_patient(self.store, self.practice, charts)
        if found is None:
            raise NotPossible(f"{self.policy.names.one_of(charts)} has never been seen in {self.practice}")
        return found


async def resync(it: Asking, charts: Charts, *, as_new: bool = False) -> Asks:
    """Read a chart again from both systems and decide anew; `as_new`: an unlinked one is searched for, or created there."""
    patient = (await it.looked(charts)).patient
    followed = it.ask(ResyncRequested(who=it.who, reason=it.reason, as_new=as_new), charts)
    sides = ((Origin.EHR, patient.link or patient.ehr), (Origin.BILLING, patient.billing))
    followed.reading = {origin for origin, side in sides if side is not None}
    return [followed]


async def retry(it: Asking, charts: Charts | None, slots: tuple[str, ...] = ()) -> Asks:
    """Try refused writes again, of a patient or (None) of the practice; no slots are all of them."""
    if charts is None:
        shared = it.ask(RetryRequested(slots=slots, who=it.who, reason=it.reason), Charts(), slots)
        return [Followed(shared.command, slots=frozenset(slots))]
    patient = (await it.looked(charts)).patient
    followed = it.ask(RetryRequested(slots=slots, who=it.who, reason=it.reason), charts, slots)
    refused = {slot: one.intent for slot, one in patient.intents.items() if one.state == "refused"}
    again = {intent for slot, intent in refused.items() if not slots or slot in slots}
    return [Followed(followed.command, open=again)]


async def resend(it: Asking, bill: int) -> Asks:
    """Check and send a failed bill again."""
    record = ("bills", str(bill))
    rows = await observed.lookup_observed(it.store.pool, it.practice, System.EHR, [record])
    if record not in rows or not rows[record].parent:
        raise NotPossible(f"bill {bill} has never been seen in {it.practice}")
    chart = EhrChartId(int(rows[record].parent))
    return [it.ask(BillResendRequested(bill=bill, who=it.who, reason=it.reason), Charts(ehr=chart), bill)]


async def link(it: Asking, ehr: EhrChartId, billing: BillingPatientId, *, force: bool = False) -> Asks:
    """The two are one person; `force` though birth date, sex or last name differ."""
    body = LinkRequested(ehr=ehr, billing=billing, who=it.who, reason=it.reason, force=force)
    return [it.ask(body, Charts(ehr, billing))]


async def unlink(it: Asking, charts: Charts) -> Asks:
    """Undo a link; with both charts: they are not the same person."""
    await it.looked(charts)
    body = UnlinkRequested(ehr=charts.ehr, billing=charts.billing, who=it.who, reason=it.reason)
    return [it.ask(body, charts)]


async def dismiss(it: Asking, charts: Charts, slot: str) -> Asks:
    """Accept a waiting item as it is; a reason is needed."""
    if not it.reason.strip():
        raise NotPossible("say why it is accepted as it is", found=False)
    return [it.ask(DismissRequested(slot=slot, who=it.who, reason=it.reason), charts, slot)]


async def seen(it: Asking, charts: Charts, fields: tuple[str, ...]) -> Asks:
    """Conflicts have been looked at; no fields are all of them."""
    return [it.ask(ConflictSeen(fields=fields, who=it.who), charts, fields)]


async def redrive(it: Asking, slot: str | None) -> Asks:
    """Try again what is in quarantine; None is all of it."""
    found = await find_patient(it.store, it.practice, Charts())
    quarantined = found.directory.quarantined if found else {}
    if slot is not None and slot not in quarantined:
        raise NotPossible(f"{slot!r}: nothing of this name is in quarantine")
    asks = []
    for one in [slot] if slot is not None else sorted(quarantined):
        followed = it.ask(RedriveRequested(slot=one, who=it.who, reason=it.reason), Charts(), one)
        followed.reading = read_anew(one)
        asks.append(followed)
    return asks


def read_anew(slot: str) -> set[Origin]:
    """The system that is read again when what is in this slot of the quarantine is tried again; none for our own messages."""
    kept = set_aside_in(slot)
    return {Origin(kept.system)} if kept is not None and kept.system in set(System) and kept.resource.islower() else set()


# -- two charts beside one another ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedField:
    """An identifying field on both sides."""

    name: str
    label: str
    ehr: str
    billing: str
    same: bool


@dataclass(frozen=True)
class LinkWrite:
    """A field that linking would write, and the system it would be written to."""

    name: str
    label: str
    system: System
    before: str
    after: str


@dataclass(frozen=True)
class TwoCharts:
    """Two charts as somebody looks at them who thinks of linking them; no `fields` where one of them was not read yet.

    `differ` are the labels of what differs when it is compared as linking compares. `writes` are the demographics that would be
    written once they are linked; insurance, appointments and bills follow the link, too.
    """

    fields: tuple[ComparedField, ...] = ()
    differ: tuple[str, ...] = ()
    writes: tuple[LinkWrite, ...] = ()


async def two_charts(it: Asking, ehr: EhrChartId, billing: BillingPatientId) -> TwoCharts:
    """The identifying fields of two charts. Raises NotPossible."""
    here = await it.looked(Charts(ehr=ehr))
    there = await it.looked(Charts(billing=billing))
    return compared(here, there, it.policy)


def compared(here: Looked, there: Looked, policy: Policy) -> TwoCharts:
    """The identifying fields of two patients that were looked up."""
    if here.patient.ehr is None or there.patient.billing is None:
        return TwoCharts()
    ours = ehr_view(here.patient.ehr.chart, here.directory, policy)
    theirs = billing_view(there.patient.billing.chart)
    fields = tuple(
        ComparedField(name, BY_NAME[name].label, ours[name], theirs[name], same(name, ours[name], theirs[name]))
        for name in COMPARED
    )
    names = differing(here.patient, there.patient, here.state(), policy)
    return TwoCharts(fields, tuple(BY_NAME[name].label.lower() for name in names), _writes(here, there, policy))


def _writes(here: Looked, there: Looked, policy: Policy) -> tuple[LinkWrite, ...]:
    """What the merge makes of the two, by the rules and from the base that the link would begin with."""
    assert here.patient.ehr is not None
    assert there.patient.billing is not None
    direction = policy.table[Resource.DEMOGRAPHICS]
    if direction is Direction.OFF:
        return ()
    ours = ehr_view(here.patient.ehr.chart, here.directory, policy)
    theirs = billing_view(there.patient.billing.chart)
    state = there.state()
    state.patients[here.patient.key] = here.patient
    ehr, billing = here.patient.ehr.chart.id, there.patient.billing.chart.id
    state.charts[ehr] = here.patient.key
    base = link_of(ehr, billing, "", there.patient, state, policy).base
    merged = reconcile(ours, theirs, base, policy.preference, direction)
    to_ehr = [LinkWrite(name, BY_NAME[name].label, System.EHR, ours[name], after) for name, after in merged.to_ehr.items()]
    to_billing = [
        LinkWrite(name, BY_NAME[name].label, System.BILLING, theirs[name], after)
        for name, after in merged.to_billing.items()
    ]
    return (*to_ehr, *to_billing)
