"""A patient's history and why a field is as it is, for the command line and the console alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daemon.history.events_of import events_of_charts
from daemon.history.explain import FieldWhy, directory_at, explain_field
from daemon.operator.records import Records, records_of
from events.ids import Charts
from events.schema import Recorded
from events.store import Store
from projections.terms.policy import Policy
from projections.words.known import Known, folded, known, provider_names
from projections.words.lines import Entry, entries
from projections.words.moment import AsOf, is_past
from projections.words.shown import Shown


@dataclass(frozen=True)
class Past:
    """`told` are the events up to a moment, in words; `state` what was known then, where it was asked for; `later` whether there is
    more after that moment. `steps` are all moments there are, each the number and time of an event. With the state come the `records` of
    each patient then, and how the values of a provider are shown (`providers`)."""

    told: tuple[Entry, ...] = ()
    state: tuple[Known, ...] = ()
    later: bool = False
    steps: tuple[tuple[int, datetime], ...] = ()
    records: Mapping[str, Records] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)


async def past_of(
    store: Store, policy: Policy, charts: Charts, shown: Shown, moment: AsOf | None = None, *, with_state: bool = True
) -> Past:
    """The history of whoever these charts are, over all charts that they were ever linked with."""
    story = await events_of_charts(store, policy.practice, charts)
    past = [one for one in story if is_past(one, moment)]
    state: list[Known] = []
    records: dict[str, Records] = {}
    providers: dict[str, str] = {}
    if past and with_state:
        directory = await directory_at(store, policy.practice, past[-1].sequence)
        then = folded(past)
        state = known(then, directory, policy, shown)
        records = {key: records_of(one, directory, policy, shown) for key, one in then.patients.items()}
        providers = provider_names(directory, policy.names)
    steps = tuple((one.sequence, one.recorded) for one in story)
    return Past(tuple(entries(past, policy, shown)), tuple(state), len(past) < len(story), steps, records, providers)


async def moment_of_step(store: Store, policy: Policy, charts: Charts, step: int) -> AsOf | None:
    """The moment of the event that is the `step`th of a history, from 1 on; of the last one for more; None without any."""
    story = await events_of_charts(store, policy.practice, charts)
    return story[min(max(step, 1), len(story)) - 1].sequence if story else None


async def why_field(
    store: Store, policy: Policy, charts: Charts, name: str, shown: Shown, moment: AsOf | None = None
) -> list[FieldWhy]:
    """Why a field is as it is, or was at a moment; nothing for charts of which nothing is recorded."""
    story = await events_of_charts(store, policy.practice, charts)
    past: list[Recorded] = [one for one in story if is_past(one, moment)]
    return await explain_field(store, policy, past, name, shown) if past else []
