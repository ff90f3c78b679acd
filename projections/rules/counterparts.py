"""Who of the other system may be an unlinked chart's person: from our own copy and the vendor's search, each compared.

What is found is recorded (`CounterpartsFound`) with how alike the two are, so that a replay never compares again. A chart that
was not read yet is known by what the search shows of it; that is too little for a link, so it waits to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from events.codes import WaitCode
from events.ids import PatientKey, is_billing_key, number_of
from events.records import BillingChart, EhrChart
from events.schema import Body, IntentRefused, IntentSuperseded, WaitingCleared, WaitingDismissed, WaitingRaised
from events.slots import CHART_SLOT
from events.writes import Candidate, CreateBillingChart, CreateEhrChart, Likeness, SearchEhr, System
from projections.matching import (
    Decision,
    Frequencies,
    MatchVerdict,
    Normal,
    Pair,
    Veto,
    are_two_people,
    decide,
    is_again,
    looked_at,
    may_be_again,
    pair_of,
)
from projections.rules.holds import is_kept_out, kept_out
from projections.rules.people import candidate, chart_in, charts_of, has_counterpart_coming, normal_of, person_of
from projections.state.directory import pair_key
from projections.state.open_intents import OpenIntent
from projections.state.patient import Patient, is_barred
from projections.state.state import Alike, PracticeState

ComparedChart = EhrChart | BillingChart | Candidate
"""A chart as it was read, or as a search shows it."""

NOBODY = Alike()


def counterparts_of(patient: Patient, state: PracticeState) -> tuple[Candidate, ...]:
    """The candidates of `patient`, compared, by id. What the search showed of a chart that is not alike stays as it was."""
    search = patient.search
    mine = _searched_for(patient)
    if mine is None or search is None or search.wanted is None:
        return ()
    to_ehr = isinstance(search.wanted, SearchEhr)
    shown = {one.id: replace(one, likeness=None) for one in search.candidates}
    ids = sorted({*shown, *state.alike.get(patient.key, NOBODY).theirs})
    known = {id_: chart_in(_patient_of(id_, state, to_ehr), ehr=to_ehr) or shown.get(id_) for id_ in ids}
    pairs: dict[int, Pair] = {}
    for id_, one in known.items():
        if one is None or is_barred(patient, id_, to_ehr) or is_kept_out(state.directory, id_, ehr=to_ehr):
            continue
        pair = pair_of(mine, normal_of(person_of(one)), state.frequencies)
        if pair is not None:
            pairs[id_] = pair
    free = {id_: pair for id_, pair in pairs.items() if not is_taken(id_, state, to_ehr)}
    rivals = _rivals(patient, free, state, to_ehr)
    decided = decide([*free.values(), *(pair for of_one in rivals.values() for pair in of_one)])
    found = {int(one.right): likeness_of(one) for one in decided if one.left == mine.id}
    doubles = {id_: likeness_of(again(pair)) for id_, pair in pairs.items() if id_ not in free and is_again(pair)}
    if doubles:  # entered twice: a second pair of one person is not linked without a person
        found = {id_: replace(one, certain=False, vetoes=_with(one.vetoes, Veto.TWO_ALIKE)) for id_, one in found.items()}
    if not any(one.certain for one in found.values()):
        doubles |= {id_: likeness_of(again(pair)) for id_, pair in pairs.items() if id_ not in free and may_be_again(pair)}
    found |= doubles
    found = found or _alike_before(patient, mine, known, state, to_ehr)
    for id_, alike in found.items():
        found[id_] = replace(alike, rivals=tuple(sorted(int(one.left) for one in rivals.get(id_, ()))))
    listed = {id_: shown.get(id_) or candidate(one) for id_, one in known.items() if one is not None}  # type: ignore[arg-type]
    kept = {id_: one for id_, one in listed.items() if id_ in shown or id_ in found}
    return tuple(replace(one, likeness=found.get(id_)) for id_, one in sorted(kept.items()))


def _alike_before(
    patient: Patient, mine: Normal, known: Mapping[int, ComparedChart | None], state: PracticeState, to_ehr: bool
) -> dict[int, Likeness]:
    """Who looked alike until one of the two was edited and may still be the same: nobody has decided, so a person still does."""
    found = {}
    for before in patient.search.candidates if patient.search is not None else ():
        now = known.get(before.id)
        if now is None or before.likeness is None or not _is_as_then(patient, before.id, before.likeness, state, to_ehr):
            continue
        theirs = normal_of(person_of(now))
        if not are_two_people(mine, theirs):
            alike = likeness_of(looked_at(mine, theirs, state.frequencies))
            linked = (Veto.LINKED,) if Veto.LINKED in before.likeness.vetoes else ()
            found[before.id] = replace(alike, vetoes=(*alike.vetoes, *linked, Veto.EDITED))
    return found


def _is_as_then(patient: Patient, id_: int, before: Likeness, state: PracticeState, to_ehr: bool) -> bool:
    """Whether a candidate is free, or linked as it was, and nobody said that it is somebody else."""
    if is_barred(patient, id_, to_ehr) or is_kept_out(state.directory, id_, ehr=to_ehr):
        return False
    if not is_taken(id_, state, to_ehr):
        return True
    other = _patient_of(id_, state, to_ehr)
    return Veto.LINKED in before.vetoes and other is not None and other.link is not None


def cautious(frequencies: Frequencies) -> Frequencies:
    """Where links are made without a person, nearly the same first name on one birth date always may be a twin's.

    A practice's own charts cannot tell how many twins it has of whom each is in one system only.
    """
    return replace(frequencies, near_twins=frequencies.charts, bare=False)


def _with(vetoes: tuple[str, ...], veto: Veto) -> tuple[str, ...]:
    return vetoes if veto in vetoes else (*vetoes, veto.value)


def is_news(found: Iterable[Candidate], known: Iterable[Candidate]) -> bool:
    """Whether more or other charts are alike than is recorded, or alike in another way; a mere shift of probability is no news."""
    return _told(found) != _told(known)


def _told(candidates: Iterable[Candidate]) -> dict[int, Likeness]:
    return {one.id: replace(one.likeness, per_million=0) for one in candidates if one.likeness is not None}


def likeness_of(decision: Decision) -> Likeness:
    """A decision as it is recorded."""
    return Likeness(
        certain=decision.verdict is MatchVerdict.CERTAIN,
        per_million=round(decision.probability * 1_000_000),
        levels={field.value: level.value for field, level in decision.levels},
        vetoes=tuple(veto.value for veto in decision.vetoes),
    )


def again(pair: Pair) -> Decision:
    """A linked chart that looks like the person: entered twice?"""
    (one,) = decide([replace(pair, vetoes=(*pair.vetoes, Veto.LINKED))])
    return one


def needs_look(patient: Patient, state: PracticeState) -> bool:
    """Whether deciding about `patient` compares it with our own copy: it is searched for, and nobody is certain yet."""
    search = patient.search
    if patient.link is not None or patient.created is not None or search is None or search.wanted is None:
        return False
    if _searched_for(patient) is None or patient.held is not None or kept_out(state.directory, patient) is not None:
        return False
    to_ehr = isinstance(search.wanted, SearchEhr)
    return certain_of(patient, search.candidates, state, to_ehr) is None


def certain_of(
    patient: Patient, candidates: Iterable[Candidate], state: PracticeState, to_ehr: bool
) -> tuple[int, Likeness] | None:
    """The one candidate that is linked without a person, and how alike the two are: never one that a person has unlinked."""
    for one in candidates:
        alike = one.likeness
        if alike is None or not alike.certain or is_barred(patient, one.id, to_ehr):
            continue
        if is_kept_out(state.directory, one.id, ehr=to_ehr):
            continue
        if not is_taken(one.id, state, to_ehr) and not is_held(one.id, state, to_ehr):
            return one.id, alike
    return None


def _searched_for(patient: Patient) -> Normal | None:
    """The person of an unlinked patient's chart, as it is compared."""
    here, there = charts_of(patient)
    chart = there if patient.in_billing else here
    return None if chart is None else normal_of(person_of(chart))


def _rivals(patient: Patient, free: dict[int, Pair], state: PracticeState, to_ehr: bool) -> dict[int, list[Pair]]:
    """Free charts on the side of `patient` compared with its candidates, by candidate; those alike are its rivals."""
    mine = number_of(patient.key)
    looked_up = set(state.alike.get(patient.key, NOBODY).ours)
    found: dict[int, list[Pair]] = {}
    for id_ in free:
        other = _patient_of(id_, state, to_ehr)
        theirs = chart_in(other, ehr=to_ehr)
        if other is None or theirs is None:
            continue
        searched = {one.id for one in other.search.candidates} if other.search is not None else set()
        for rival in sorted((looked_up | searched) - {mine}):
            if is_barred(other, rival, not to_ehr) or is_taken(rival, state, not to_ehr):
                continue
            if is_kept_out(state.directory, rival, ehr=not to_ehr):
                continue
            chart = chart_in(_patient_of(rival, state, not to_ehr), ehr=not to_ehr)
            shown = next((one for one in other.search.candidates if one.id == rival), None) if other.search else None
            if (one := chart or shown) is None:
                continue
            pair = pair_of(normal_of(person_of(one)), normal_of(person_of(theirs)), state.frequencies)
            if pair is not None:
                found.setdefault(id_, []).append(pair)
    return found


def _patient_of(id_: int, state: PracticeState, ehr: bool) -> Patient | None:
    return state.patients.get(state.key_in(id_, ehr=ehr))


def undecided_twin(patient: Patient, state: PracticeState) -> Patient | None:
    """A chart of the same system that looks like this unlinked one, and for which a counterpart is being created or a person asked.

    Created at once, the two were two pairs of one person; once that one is linked, somebody is asked (`may_be_again`).
    """
    mine, ehr = _searched_for(patient), not patient.in_billing
    if mine is None or _is_created_for(patient):
        return None
    for one in state.alike.get(patient.key, NOBODY).undecided:
        other = _patient_of(one, state, ehr)
        chart = chart_in(other, ehr=ehr)
        if other is None or chart is None or not (_is_created_for(other) or _is_asked(other, but=named(patient.key))):
            continue
        if pair_key(System.EHR if ehr else System.BILLING, number_of(patient.key), one) in state.directory.told_apart:
            continue
        pair = pair_of(mine, normal_of(person_of(chart)), state.frequencies)
        if pair is not None and may_be_again(pair):
            return other
    return None


def _is_created_for(patient: Patient) -> bool:
    """Whether a counterpart of an unlinked chart is asked for and not refused, or there and about to be linked."""
    if patient.link is not None or patient.held is not None:
        return False
    match patient.intents.get(CHART_SLOT):
        case OpenIntent(write=CreateEhrChart() | CreateBillingChart(), state=state) if state != "refused":
            return True
    return patient.created is not None and not is_barred(patient, patient.created, patient.in_billing)


def _is_asked(patient: Patient, but: str) -> bool:
    """Whether a person is asked who is the counterpart of a chart, `but` where that depends on this chart."""
    item = patient.waiting.get(CHART_SLOT)
    return item is not None and item.code == WaitCode.CANDIDATES and but not in item.depends_on


def named(key: PatientKey) -> str:
    """As what a doubt of another chart depends on the chart of this key."""
    return f"{'patient' if is_billing_key(key) else 'chart'}:{number_of(key)}"


def is_asked_about(patient: Patient, candidates: Iterable[int], state: PracticeState) -> bool:
    """Whether every candidate has an item already, waiting or accepted, that this patient is in."""
    asked = [_asks_about(_patient_of(one, state, patient.in_billing), named(patient.key)) for one in candidates]
    return bool(asked) and all(asked)


def _asks_about(other: Patient | None, name: str) -> bool:
    if other is None:
        return False
    item = other.waiting.get(CHART_SLOT) or other.dismissed.get(CHART_SLOT)
    return item is not None and item.code == WaitCode.CANDIDATES and name in item.depends_on


def gave_up(body: Body, before: Patient | None, after: Patient) -> bool:
    """Whether others have to be looked at again that wait for this patient: what they were decided with is no longer what it was.

    That is an item, or a creation (`undecided_twin`).
    """
    if isinstance(body, IntentRefused | IntentSuperseded | WaitingDismissed):
        return body.slot == CHART_SLOT
    if not isinstance(body, WaitingCleared | WaitingRaised):
        return False
    known = None if before is None else before.waiting.get(CHART_SLOT)
    if known is None or known.code != WaitCode.CANDIDATES or after.link is not None:
        return False
    now = after.waiting.get(CHART_SLOT) or after.dismissed.get(CHART_SLOT)
    return now is None or now.code != WaitCode.CANDIDATES or not set(known.depends_on) <= set(now.depends_on)


def is_held(id_: int, state: PracticeState, ehr: bool) -> bool:
    """Whether a person unlinked this chart and has not said yet whose it is: only a person links it again."""
    other = _patient_of(id_, state, ehr)
    return other is not None and other.held is not None


def is_taken(id_: int, state: PracticeState, ehr: bool) -> bool:
    """Whether a candidate is linked, merged away, deleted, or just being created on the other side."""
    other = _patient_of(id_, state, ehr)
    if other is None:
        return False
    if other.link is not None or has_counterpart_coming(other):
        return True
    side = other.ehr
    if side is not None and (side.chart.deleted or side.chart.merged_into is not None):
        return ehr
    return other.billing is not None and other.billing.vanished
