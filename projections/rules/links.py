"""Is this chart that person? Search before create, and what becomes of a link when charts merge (DESIGN: Links).

A wrong link is a safety incident, a missed one a duplicate for a person to merge: so only a strong match that is the only
one counts, and everything in between waits.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from unicodedata import normalize

from events.ids import BillingPatientId, EhrChartId, billing_key, ehr_key, number_of
from events.records import BillingChart, EhrChart
from events.slots import CHART_SLOT
from events.writes import Candidate, CreateBillingChart, CreateEhrChart, SearchBilling, SearchEhr
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import Patient
from projections.state.state import PracticeState
from projections.terms.codecs import Sex, squeeze
from projections.terms.names import Names

LINK_HINT = "kareo-patient:"

NICKNAMES = tuple(
    frozenset(names.split())
    for names in (
        "robert bob rob bobby bert",
        "william bill will liam billy",
        "richard dick rick rich",
        "margaret peggy meg maggie greta",
        "elizabeth liz beth betty eliza lisa",
        "james jim jimmy jamie",
        "john jack johnny jon",
        "katherine catherine kate kathy katie",
        "michael mike mick",
        "thomas tom tommy",
        "charles charlie chuck",
        "edward ed ted ned",
        "joseph joe joey",
        "anthony tony",
        "christopher chris",
        "daniel dan danny",
        "susan sue suzanne",
        "patricia pat patty tricia",
        "barbara barb",
        "deborah debra deb debbie",
        "theresa tess terry",
        "alexander alex sasha",
        "alexandra alex sandra",
        "samuel samantha sam",
        "henry harry hank",
    )
)


class Grade(IntEnum):
    """How much a candidate looks like the person wanted."""

    NONE = 0
    WEAK = 1
    STRONG = 2


@dataclass(frozen=True)
class Verdict:
    """What to do about an unlinked chart: link to `match`, wait for a person (`reason`), or create.

    `rivals` are charts of the same system that look like the one match too.
    """

    match: int | None = None
    reason: str = ""
    candidates: tuple[int, ...] = ()
    rivals: tuple[int, ...] = ()

    @property
    def create(self) -> bool:
        return self.match is None and not self.reason


def name_key(text: str) -> str:
    """A name without case, accents and everything but letters."""
    return "".join(char for char in normalize("NFKD", text).casefold() if char.isalpha())


def _alike(one: str, other: str) -> bool:
    """Equal, a nickname, an initial or a prefix of the other."""
    if not one or not other or one == other or one.startswith(other) or other.startswith(one):
        return True
    return any(one in names and other in names for names in NICKNAMES)


def _misspelt(one: str, other: str) -> bool:
    """One letter too many, too few or wrong, or two neighbours swapped."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < 3:
        return False
    start = next((at for at, (here, there) in enumerate(zip(one, other, strict=False)) if here != there), 0)
    here, there = one[start:], other[start:]
    swapped = here[:2] == there[:2][::-1] and here[2:] == there[2:]
    return swapped or here[1:] == there[1:] or here[1:] == there or here == there[1:]


def is_near(one: date, other: date) -> bool:
    """Day and month swapped, or two of day, month and year the same: how birth dates are mistyped."""
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return True
    return (one.year == other.year) + (one.month == other.month) + (one.day == other.day) >= 2


def grade(wanted: SearchEhr | SearchBilling, candidate: Candidate, *, middle_name: str = "") -> Grade:
    """Strong: same first and last name, birth date and sex, and no middle name that speaks against it."""
    first, last = name_key(wanted.first_name), name_key(wanted.last_name)
    other_first, other_last = name_key(candidate.first_name), name_key(candidate.last_name)
    same_day = wanted.birth_date is not None and wanted.birth_date == candidate.birth_date
    sexes = {Sex().key(wanted.sex), Sex().key(candidate.sex)}
    if first == other_first and last == other_last:
        if same_day:
            middles = name_key(middle_name), name_key(candidate.middle_name)
            return Grade.STRONG if len(sexes) == 1 and _alike(*middles) else Grade.WEAK
        unknown = wanted.birth_date is None or candidate.birth_date is None
        near = not unknown and is_near(wanted.birth_date, candidate.birth_date)  # type: ignore[arg-type]
        return Grade.WEAK if unknown or near else Grade.NONE
    same_family = last == other_last and (_alike(first, other_first) or _misspelt(first, other_first))
    if same_day and (same_family or (first == other_first and len(sexes) == 1)):
        return Grade.WEAK
    return Grade.NONE


def block_keys(first_name: str, last_name: str, birth_date: date | None) -> tuple[Hashable, ...]:
    """Whoever `grade` finds alike shares at least one of these: what an index of many charts is made by."""
    first, last = name_key(first_name), name_key(last_name)
    born = ((last, birth_date), (birth_date, first)) if birth_date is not None else ()
    return ((first, last), *born)


def searched_in_ehr(chart: BillingChart) -> SearchEhr:
    """Whom a Kareo patient without a link is looked for as."""
    return SearchEhr(
        first_name=squeeze(chart.first_name), last_name=squeeze(chart.last_name), birth_date=chart.birth_date, sex=chart.sex
    )


def searched_in_billing(chart: EhrChart) -> SearchBilling:
    """Whom an Elation chart without a link is looked for as."""
    return SearchBilling(
        first_name=squeeze(chart.first_name), last_name=squeeze(chart.last_name), birth_date=chart.birth_date, sex=chart.sex
    )


def judge(patient: Patient, state: PracticeState, names: Names) -> Verdict:
    """What the finished search of an unlinked `patient` comes to, given the links and creations there are by now."""
    search = patient.search
    if search is None or search.wanted is None:
        return Verdict(reason="not searched yet")
    middle = middle_name(patient)
    to_ehr = isinstance(search.wanted, SearchEhr)
    graded = {
        one.id: grade(search.wanted, one, middle_name=middle)
        for one in search.candidates
        if not is_barred(patient, one.id, to_ehr)
    }
    free = {id_ for id_ in graded if not _taken(id_, state, to_ehr)}
    strong = [id_ for id_, one in graded.items() if one is Grade.STRONG]
    if len(strong) == 1 and strong[0] in free and not any(one is Grade.WEAK and id_ in free for id_, one in graded.items()):
        if not (rivals := _rivals(patient, strong[0], state, to_ehr)):
            return Verdict(match=strong[0])
        reason = "another chart of this system looks like that match too: link the right one, or say that there is none"
        return Verdict(reason=reason, candidates=tuple(strong), rivals=rivals)
    if strong and not any(id_ in free for id_ in strong):
        return Verdict(reason="looks like a chart that is linked to somebody else: a duplicate?", candidates=tuple(strong))
    doubtful = tuple(id_ for id_, one in graded.items() if one is not Grade.NONE and id_ in free)
    if doubtful:
        return Verdict(
            reason="several or uncertain matches: link the right one, or say that there is none", candidates=doubtful
        )
    if search.refused:
        return Verdict(reason=f"{names.ehr.label} refuses it as a duplicate of another chart", candidates=tuple(graded))
    return Verdict()


def _rivals(patient: Patient, match: int, state: PracticeState, to_ehr: bool) -> tuple[int, ...]:
    """Free charts on the side of `patient` that its one match, when it was searched for itself, looks like as well."""
    key = state.key_of(EhrChartId(match), None) if to_ehr else state.key_of(None, BillingPatientId(match))
    other = state.patients.get(key)
    if other is None or other.search is None or other.search.wanted is None:
        return ()
    mine, middle = number_of(patient.key), middle_name(other)
    alike = [
        one.id
        for one in other.search.candidates
        if one.id != mine
        and not is_barred(other, one.id, not to_ehr)
        and grade(other.search.wanted, one, middle_name=middle) is not Grade.NONE
    ]
    return tuple(id_ for id_ in alike if not _taken(id_, state, not to_ehr))


def awaited(verdict: Verdict, *, ehr: bool) -> tuple[str, ...]:
    """What a doubt depends on: the candidates, charts of Elation or not, and their rivals on the other side."""
    there, here = ("chart", "patient") if ehr else ("patient", "chart")
    return (*(f"{there}:{one}" for one in verdict.candidates), *(f"{here}:{one}" for one in verdict.rivals))


def middle_name(patient: Patient) -> str:
    """Of the side that is searched for: Kareo's where there is one."""
    chart = patient.billing.chart if patient.billing else patient.ehr.chart if patient.ehr else None
    return chart.middle_name if chart else ""


def is_barred(patient: Patient, id_: int, ehr: bool) -> bool:
    """Whether a person said that this chart of the other system is somebody else."""
    if ehr:
        return any(pair[0] == id_ for pair in patient.barred if billing_key(pair[1]) == patient.key)
    return any(pair[1] == id_ for pair in patient.barred if ehr_key(pair[0]) == patient.key)


def _taken(id_: int, state: PracticeState, ehr: bool) -> bool:
    """Whether a candidate is linked, merged away, deleted, or just being created on the other side."""
    key = state.key_of(EhrChartId(id_), None) if ehr else state.key_of(None, BillingPatientId(id_))
    other = state.patients.get(key)
    if other is None:
        return False
    if other.link is not None or other.created is not None:
        return True
    side = other.ehr
    if side is not None and (side.chart.deleted or side.chart.merged_into is not None):
        return ehr
    if other.billing is not None and other.billing.vanished:
        return True
    creating = other.intents.get(CHART_SLOT)
    under_way = creating is not None and creating.state in UNDER_WAY
    return under_way and creating is not None and isinstance(creating.write, CreateEhrChart | CreateBillingChart)


def absorbers(chart: EhrChartId, state: PracticeState) -> tuple[EhrChartId, ...]:
    """The charts that `chart` was merged into, one into the next, as far as is known and without going in circles."""
    chain = [chart]
    while (
        (known := _known(chain[-1], state)) is not None and known.merged_into is not None and known.merged_into not in chain
    ):
        chain.append(known.merged_into)
    return tuple(chain[1:])


def in_circles(chart: EhrChartId, state: PracticeState) -> bool:
    """Whether the chain of merges that starts at `chart` never ends."""
    chain = (chart, *absorbers(chart, state))
    known = _known(chain[-1], state)
    return known is not None and known.merged_into in chain


def survivor(chart: EhrChartId, state: PracticeState) -> EhrChartId | None:
    """The end of the chain of merges that starts at `chart`; None for a cycle or an end not seen yet."""
    end = (chart, *absorbers(chart, state))[-1]
    known = _known(end, state)
    return end if known is not None and known.merged_into is None else None


def _known(chart: EhrChartId, state: PracticeState) -> EhrChart | None:
    patient = state.patients.get(state.key_of(chart, None))
    side = patient.ehr if patient else None
    return side.chart if side is not None and side.chart.id == chart else None


def references(patient: Patient) -> tuple[set[EhrChartId], set[BillingPatientId]]:
    """Charts of other patients that deciding about `patient` looks at."""
    ehr: set[EhrChartId] = set()
    billing: set[BillingPatientId] = set()
    if patient.ehr is not None:
        if patient.ehr.chart.merged_into is not None:
            ehr.add(patient.ehr.chart.merged_into)
        hinted = hinted_patient(patient.ehr.chart.link_hint)
        if hinted is not None and billing_key(hinted) != patient.key:
            billing.add(hinted)
    ehr |= {EhrChartId(int(chart)) for chart in patient.former}
    if patient.search is not None:
        for candidate in patient.search.candidates:
            if isinstance(patient.search.wanted, SearchEhr):
                ehr.add(EhrChartId(candidate.id))
            else:
                billing.add(BillingPatientId(candidate.id))
    if patient.created is not None:
        if patient.in_billing:
            ehr.add(EhrChartId(patient.created))
        else:
            billing.add(BillingPatientId(patient.created))
    return ehr, billing


def hinted_patient(hint: str) -> BillingPatientId | None:
    """The Kareo patient that our own metadata on an Elation chart names."""
    number = hint.removeprefix(LINK_HINT)
    return BillingPatientId(int(number)) if number != hint and number.isdigit() else None
