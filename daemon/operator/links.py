"""What a link by hand would come to, before it is made: both charts, how alike they are, and every write that would follow.

The command line and the console ask for the same plan and show it; a person confirms it, and only then is anything asked for.
The writes are those of the deciding code itself, rehearsed in memory: nothing is recorded and no vendor is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from daemon.operator.find import Looked, NeverSeen, find_patient
from daemon.tables.matching import MatchTables
from events.codes import CommandCode
from events.commands import LinkRequested, MoveLinkRequested
from events.ids import BillingPatientId, Charts, EhrChartId, charts_of
from events.schema import CommandRefused
from events.store import Store
from events.writes import Likeness, System, UpdateBillingChart, UpdateEhrChart, system_of
from projections.deciding.repair import decisive, seen_of
from projections.matching import Compared, looked_at
from projections.rules.counterparts import likeness_of
from projections.rules.fields import DEMOGRAPHICS, PHONE_KINDS, billing_view, ehr_view, same
from projections.rules.holds import is_observed
from projections.rules.people import normal_of, person_of
from projections.terms.policy import Policy
from projections.trial.dry_run import Planned, rehearse_link

COMPARED_AS: Mapping[str, Compared] = {
    "first_name": Compared.FIRST,
    "middle_name": Compared.MIDDLE,
    "last_name": Compared.LAST,
    "birth_date": Compared.BORN,
    "sex": Compared.SEX,
    "address1": Compared.STREET,
    "address2": Compared.LINE2,
    "city": Compared.CITY,
    "state": Compared.STATE,
    "zip": Compared.ZIP,
    "email": Compared.EMAIL,
    **dict.fromkeys(PHONE_KINDS, Compared.PHONE),
}
"""As what matching compares each field of the demographics."""


@dataclass(frozen=True)
class FieldBeside:
    """A field in both charts. `level` says how alike, in words that name no value; "" where matching has no word for it.

    `written` are the values that the link would have written, by the system that they go to.
    """

    name: str
    label: str
    ehr: str
    billing: str
    same: bool
    level: str
    written: Mapping[System, str]


@dataclass(frozen=True)
class LinkPlan:
    """What linking two charts would come to.

    `refused` says why it would not be done; `differ` are the fields that speak for two persons, and ask for `force`.
    `linked`: they are one already, so there is nothing to do. `observing`: the writes come only once the practice is live.
    `seen` goes into the command, so that nothing is linked that a person has not seen. A link that moves comes from `source`.
    """

    ehr: EhrChartId
    billing: BillingPatientId
    fields: tuple[FieldBeside, ...]
    alike: Likeness
    writes: tuple[Planned, ...]
    refused: CommandRefused | None
    differ: tuple[str, ...]
    seen: str
    linked: bool = False
    observing: bool = False
    source: BillingPatientId | None = None


async def plan_of_link(
    store: Store, policy: Policy, ehr: EhrChartId, billing: BillingPatientId, now: datetime, *, force: bool = False
) -> LinkPlan:
    """What linking these two would come to, as everything stands at `now`. Raises NeverSeen."""
    here = await _looked(store, policy, Charts(ehr=ehr))
    there = await _looked(store, policy, Charts(billing=billing))
    return await _planned(store, policy, here, there, LinkRequested(ehr=ehr, billing=billing, who="", force=force), now)


async def plan_of_move(
    store: Store, policy: Policy, source: BillingPatientId, target: BillingPatientId, now: datetime, *, force: bool = False
) -> LinkPlan:
    """What moving the link of a vanished patient to the survivor of the merge would come to. Raises NeverSeen."""
    here = await _looked(store, policy, Charts(billing=source))
    there = await _looked(store, policy, Charts(billing=target))
    wanted = MoveLinkRequested(source=source, target=target, who="", force=force)
    return await _planned(store, policy, here, there, wanted, now)


async def _planned(
    store: Store, policy: Policy, here: Looked, there: Looked, wanted: LinkRequested | MoveLinkRequested, now: datetime
) -> LinkPlan:
    left, right = here.patient.ehr, there.patient.billing
    if left is None or right is None:
        gone = here if left is None else there
        raise NeverSeen(Charts(*charts_of(gone.patient.key)))
    ehr, billing = left.chart.id, right.chart.id
    people = normal_of(person_of(left.chart)), normal_of(person_of(right.chart))
    frequencies = await MatchTables(policy.practice, store.keyring).frequencies_so_far(store.pool, people)
    alike = likeness_of(looked_at(*people, frequencies))
    state = here.state()
    planned = Planning(here, there, policy, now)
    writes, refused = planned.rehearsed(wanted)
    link = here.patient.link
    return LinkPlan(
        ehr=ehr,
        billing=billing,
        fields=planned.fields(alike, writes),
        alike=alike,
        writes=writes,
        refused=refused,
        differ=decisive(here.patient, there.patient, state, policy),
        seen=seen_of(here.patient, there.patient, state, policy),
        linked=link is not None and (link.ehr, link.billing) == (ehr, billing),
        observing=is_observed(here.directory, policy),
        source=wanted.source if isinstance(wanted, MoveLinkRequested) else None,
    )


@dataclass(frozen=True)
class Planning:
    """The patients of two charts, and the practice that they are of."""

    here: Looked
    there: Looked
    policy: Policy
    now: datetime

    def rehearsed(self, wanted: LinkRequested | MoveLinkRequested) -> tuple[tuple[Planned, ...], CommandRefused | None]:
        """Every write that the link would lead to; where only `force` is missing, those that it would lead to with it."""
        patients = {one.key: one for one in (self.here.patient, self.there.patient)}
        run = rehearse_link(patients, self.here.directory, wanted, self.policy, self.now)
        refused = run.refused
        if refused is not None and refused.code == CommandCode.DIFFERS:
            run = rehearse_link(patients, self.here.directory, replace(wanted, force=True), self.policy, self.now)
        return (tuple(run.writes) if run.refused is None else ()), refused

    def fields(self, alike: Likeness, writes: tuple[Planned, ...]) -> tuple[FieldBeside, ...]:
        """Both charts field by field."""
        left, right = self.here.patient.ehr, self.there.patient.billing
        if left is None or right is None:
            return ()
        ours, theirs = ehr_view(left.chart, self.here.directory, self.policy), billing_view(right.chart)
        updates = [one.write for one in writes if isinstance(one.write, UpdateEhrChart | UpdateBillingChart)]
        return tuple(
            FieldBeside(
                name=field.name,
                label=field.label,
                ehr=ours[field.name],
                billing=theirs[field.name],
                same=same(field.name, ours[field.name], theirs[field.name]),
                level=alike.levels.get(COMPARED_AS.get(field.name, ""), ""),
                written={system_of(one): one.fields[field.name] for one in updates if field.name in one.fields},
            )
            for field in DEMOGRAPHICS
        )


async def _looked(store: Store, policy: Policy, charts: Charts) -> Looked:
    found = await find_patient(store, policy.practice, charts)
    if found is None:
        raise NeverSeen(charts)
    return found
