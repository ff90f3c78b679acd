"""What people can ask for, for the command line and the console alike: each function checks what was given and makes the commands.

Nothing is asked yet: `daemon/operator/commands.py` publishes a command and follows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from daemon.operator.commands import Followed, command
from daemon.operator.find import Looked, find_patient
from daemon.operator.holds import slot_of_scope
from daemon.operator.links import LinkPlan
from daemon.tables import observed
from events.codes import WaitCode
from events.commands import (
    BillReleaseRequested,
    BillResendRequested,
    Command,
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
from events.ids import BillingPatientId, Charts, EhrChartId, PracticeId
from events.maps import MapKind, map_key
from events.schema import Origin, Recorded
from events.slots import SlotKind, set_aside_in, slot_of
from events.store import Store
from events.writes import Resource, System
from projections.deciding import mapping
from projections.deciding.replies import NotDone, Reply
from projections.terms.policy import Policy

Asks = list[Followed]


class NotPossible(Exception):
    """What was given cannot be asked for; the text is for the person. `found`: it was given well, but nothing is there."""

    def __init__(self, text: str, *, found: bool = True) -> None:
        super().__init__(text)
        self.found = found


READ_SECONDS = 120.0
"""Within which both systems have answered about a chart, or say nothing of it."""


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


async def resync(it: Asking, charts: Charts, *, as_new: bool = False, unseen: bool = False) -> Asks:
    """Read a chart again from both systems and decide anew; `as_new`: an unlinked one is searched for, or created there.

    `unseen`: the chart is known to be there, though nothing is recorded of it.
    """
    found = await find_patient(it.store, it.practice, charts) if unseen else await it.looked(charts)
    followed = it.ask(ResyncRequested(who=it.who, reason=it.reason, as_new=as_new), charts)
    followed.reading = _read_of(found, charts)
    return [followed]


def _read_of(found: Looked | None, charts: Charts) -> set[Origin]:
    """The systems that are read when these charts are read again."""
    if found is None:
        return {Origin.EHR if charts.billing is None else Origin.BILLING}
    patient = found.patient
    sides = ((Origin.EHR, patient.link or patient.ehr), (Origin.BILLING, patient.billing))
    return {origin for origin, side in sides if side is not None}


async def asked_before(store: Store, practice: PracticeId, asked: Recorded) -> Followed:
    """A command that was recorded, to be followed by who looks at it later. What a chart that is gone shows, nobody waits for long."""
    followed, event = Followed(asked.event), asked.event
    if datetime.now(UTC) - asked.recorded < timedelta(seconds=READ_SECONDS):
        match event.body:
            case ResyncRequested():
                charts = Charts(event.ehr, event.billing)
                followed.reading = _read_of(await find_patient(store, practice, charts), charts)
            case RedriveRequested(slot=slot):
                followed.reading = read_anew(slot)
    return followed


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
    chart = await _chart_of(it.store, it.practice, bill)
    return [it.ask(BillResendRequested(bill=bill, who=it.who, reason=it.reason), chart, bill)]


async def release_bill(it: Asking, bill: int) -> Asks:
    """Release a deferred bill where it waits."""
    chart = await _chart_of(it.store, it.practice, bill)
    return [it.ask(BillReleaseRequested(bill=bill, who=it.who, reason=it.reason), chart, bill)]


async def _chart_of(store: Store, practice: PracticeId, bill: int) -> Charts:
    """The chart that a bill is of. Raises NotPossible."""
    record = ("bills", str(bill))
    rows = await observed.lookup_observed(store.pool, practice, System.EHR, [record])
    if record not in rows or not rows[record].parent:
        raise NotPossible(f"bill {bill} has never been seen in {practice}")
    return Charts(ehr=EhrChartId(int(rows[record].parent)))


async def link(
    it: Asking, ehr: EhrChartId, billing: BillingPatientId, *, force: bool = False, seen: str = "", undecided: bool = False
) -> Asks:
    """The two are one person; `force` though they differ, `seen` is the digest of what was shown of both (`operator/links.py`).

    `undecided`: only as long as nobody has decided about the two.
    """
    body = LinkRequested(ehr=ehr, billing=billing, who=it.who, reason=it.reason, force=force, seen=seen, undecided=undecided)
    return [it.ask(body, Charts(ehr, billing))]


async def move_link(
    it: Asking, source: BillingPatientId, target: BillingPatientId, ehr: EhrChartId, *, force: bool = False, seen: str = ""
) -> Asks:
    """`source` is gone in a merge: the link of `source` with `ehr` goes to `target`; `force` and `seen` as in `link`."""
    body = MoveLinkRequested(source=source, target=target, who=it.who, reason=it.reason, force=force, seen=seen)
    return [it.ask(body, Charts(ehr, target))]


async def as_planned(it: Asking, plan: LinkPlan, *, force: bool = False, undecided: bool = False) -> Asks:
    """What was shown as a plan and confirmed; `force` only counts where the two differ, `undecided` as in `link`."""
    force = force and bool(plan.differ)
    if plan.source is not None:
        return await move_link(it, plan.source, plan.billing, plan.ehr, force=force, seen=plan.seen)
    return await link(it, plan.ehr, plan.billing, force=force, seen=plan.seen, undecided=undecided)


async def unlink(it: Asking, charts: Charts, *, undecided: bool = False) -> Asks:
    """Undo a link; with both charts: they are not the same person. `undecided`: only as long as nobody has linked the two."""
    await it.looked(charts)
    body = UnlinkRequested(ehr=charts.ehr, billing=charts.billing, who=it.who, reason=it.reason, undecided=undecided)
    return [it.ask(body, charts)]


async def apart(it: Asking, system: System, one: int, other: int, *, undo: bool = False) -> Asks:
    """Two charts of one system are two persons, for which a reason is needed; `undo` takes that back."""
    if not undo and not it.reason.strip():
        raise NotPossible("say why they are two persons", found=False)
    low, high = sorted((one, other))
    body = TellApartRequested(system=system, one=low, other=high, who=it.who, reason=it.reason, undo=undo)
    return [it.ask(body, Charts(), (system, low, high))]


async def dismiss(it: Asking, charts: Charts, slot: str, *, seen: str = "") -> Asks:
    """Accept a waiting item as it is; a reason is needed. `seen` is what was shown of it (`operator/worklist.py`): it has to be so still."""
    if not it.reason.strip():
        raise NotPossible("say why it is accepted as it is", found=False)
    return [it.ask(DismissRequested(slot=slot, who=it.who, reason=it.reason, seen=seen), charts, slot)]


async def remove_policy(it: Asking, charts: Charts, policy: int, *, seen: str = "") -> Asks:
    """Remove a policy of the chart side that waits because the billing side's primary case does not have it; `seen` as in `dismiss`."""
    patient = (await it.looked(charts)).patient
    waits = patient.waiting.get(slot_of(SlotKind.EHR_POLICY, policy))
    if waits is None or waits.code != WaitCode.BEYOND_CASE:
        raise NotPossible(f"policy {policy} does not wait to be removed")
    return [it.ask(PolicyRemovalRequested(policy=policy, who=it.who, reason=it.reason, seen=seen), charts, policy)]


async def seen(it: Asking, charts: Charts, fields: tuple[str, ...], *, as_shown: str = "") -> Asks:
    """Conflicts have been looked at; no fields are all of them. `as_shown`: what was shown of the one field, as in `dismiss`."""
    return [it.ask(ConflictSeen(fields=fields, who=it.who, seen=as_shown), charts, fields)]


async def hold(
    it: Asking, charts: Charts, *, resource: Resource | None, system: System | None, until: datetime | None = None
) -> Asks:
    """Let writes wait: of one patient or (no charts) of everybody, of a resource or all, to a system or both; a reason is needed."""
    if not it.reason.strip():
        raise NotPossible("say why it is held", found=False)
    if until is not None and until <= datetime.now(UTC):
        raise NotPossible("the time until which it is held is over already", found=False)
    if charts != Charts():
        await it.looked(charts)
    body = HoldRequested(who=it.who, reason=it.reason, resource=resource, system=system, until=until)
    return [it.ask(body, charts, (resource, system))]


async def release(it: Asking, charts: Charts, *, resource: Resource | None, system: System | None) -> Asks:
    """End the hold with exactly this scope: what it held goes out."""
    found = await it.looked(charts)
    slot = slot_of_scope(found.directory, resource, system, found.patient if found.patient.key else None)
    if slot is None:
        raise NotPossible("nothing with exactly this scope is held")
    return await release_slot(it, slot)


async def release_slot(it: Asking, slot: str, *, seen: str = "") -> Asks:
    """End the hold of this slot, as it was shown (`seen`)."""
    return [it.ask(ReleaseRequested(slot=slot, who=it.who, reason=it.reason, seen=seen), Charts(), slot)]


async def keep_out(it: Asking, charts: Charts, *, undo: bool = False) -> Asks:
    """Leave a patient alone for good, or (`undo`) no longer; a reason is needed. A patient that was never seen can be kept out, too."""
    if not it.reason.strip():
        raise NotPossible("say why the patient is kept out" + (" no longer" if undo else ""), found=False)
    return [it.ask(KeepOutRequested(who=it.who, reason=it.reason, undo=undo), charts)]


async def go_live(it: Asking, *, undo: bool = False) -> Asks:
    """The practice that is only observed goes live, once both systems are read; or (`undo`) its configuration counts again."""
    return [it.ask(GoLiveRequested(who=it.who, reason=it.reason, undo=undo), Charts())]


async def map_row(it: Asking, kind: MapKind, id_: int, to: str, *, was: str | None = None) -> Asks:
    """Save a row of the maps, which goes before the configuration's; `was` is what it led to when it was shown."""
    body = MapRequested(kind=kind, id=id_, to=to, who=it.who, reason=it.reason, was=was)
    directory = (await it.looked(Charts())).directory
    _possible(lambda: mapping.save(directory, body, it.policy))
    return [it.ask(body, Charts(), map_key(kind, id_))]


async def give_back(it: Asking, kind: MapKind, id_: int) -> Asks:
    """Give a saved row of the maps back to the configuration."""
    body = MapGiveBackRequested(kind=kind, id=id_, who=it.who, reason=it.reason)
    directory = (await it.looked(Charts())).directory
    _possible(lambda: mapping.give_back(directory, body))
    return [it.ask(body, Charts(), map_key(kind, id_))]


def _possible(answered: Callable[[], Reply]) -> None:
    """What the practice's owner would refuse is refused at once, in the same words."""
    try:
        answered()
    except NotDone as no:
        raise NotPossible(no.text) from None


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
