"""What Kareo holds of the encounters that were sent to it, read from their charges, for `chartwire balance`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.wire import KareoCharge
from daemon.vendors.ports.vendor import Edits
from events.calendar import shifted
from events.terms import EncounterTerms
from events.writes import CreateEncounter
from projections.terms.codecs import squeeze

MOVED = timedelta(days=14)
"""How far from its day an encounter is looked for: a window of at most 30 days is answered reliably."""

VOIDED = "voided"


class KareoHeld:
    """Reads through the client; writes nothing. One call a day of service, one more for what is not found there.

    An encounter that was removed and entered again with the bill's batch number is there.
    """

    def __init__(self, client: KareoClient) -> None:
        self._client = client

    async def encounter_edits(self, sent: Mapping[int, CreateEncounter]) -> dict[int, Edits]:
        """As `ports.vendor.HeldEncounters`."""
        held: defaultdict[int, list[KareoCharge]] = defaultdict(list)
        for day in sorted({one.service_day for one in sent.values()}):
            for charge in await self._charges("", day, day):
                if charge.encounter_id is not None and charge.encounter_id in sent:
                    held[charge.encounter_id].append(charge)
        for id_ in sorted(set(sent) - set(held)):
            wanted = sent[id_]
            first, last = shifted(wanted.service_day, -MOVED), shifted(wanted.service_day, MOVED)
            around = await self._charges(wanted.batch, first, last)
            entered_again = [one for one in around if wanted.batch and one.batch_number == wanted.batch]
            held[id_] += [one for one in around if one.encounter_id == id_] or entered_again
        return {id_: encounter_edits(one, held[id_]) for id_, one in sent.items()}

    async def _charges(self, batch: str, first: date, last: date) -> list[KareoCharge]:
        """Raises Malformed where a charge cannot be read: it would be missed."""
        return await self._client.charges_by_batch(batch, service_from=first, service_to=last, whole=True)


def encounter_edits(sent: CreateEncounter, held: Sequence[KareoCharge]) -> dict[str, tuple[str, str]]:
    """What the charges of an encounter say otherwise than was sent: (holds, was sent)."""
    if not held:
        return {"removed": ("yes", "no")}
    held = [one for one in held if one.status.casefold() != VOIDED]
    if not held:
        return {"voided": ("yes", "no")}
    coded = all(code[:1].isalpha() for one in held for code in one.diagnoses)
    pairs = {
        "patient": (_each(str(one.patient_id) for one in held if one.patient_id), str(sent.patient)),
        "day of service": (_each(str(one.service_day) for one in held if one.service_day), str(sent.service_day)),
        "charges": (
            _lines(_held_line(one, coded, sent.lines) for one in held),
            _lines(_sent_line(one, coded) for one in sent.lines),
        ),
    }
    return {name: (holds, was) for name, (holds, was) in pairs.items() if holds and holds != was}


def _each(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values)))


def _lines(lines: Iterable[str]) -> str:
    """The lines whatever their order."""
    return ", ".join(sorted(Counter(lines).elements()))


def _held_line(one: KareoCharge, coded: bool, sent: Sequence[EncounterTerms]) -> str:
    """A line but for the amounts that were not sent: those are the billing system's own."""
    units = one.units if any(each.units for each in sent) else ""
    charge = one.unit_charge if any(each.unit_charge for each in sent) else ""
    return _line(one.procedure_code, one.modifiers, one.diagnoses if coded else (), units, charge)


def _sent_line(one: EncounterTerms, coded: bool) -> str:
    return _line(one.cpt, one.modifiers, one.dxs if coded else (), one.units, one.unit_charge)


def _line(code: str, modifiers: Sequence[str], dxs: Sequence[str], units: str, charge: str) -> str:
    """A line in one form: codes as they are compared, amounts as numbers. An account may show ids in place of diagnoses."""
    coded = "-".join(squeeze(one) for one in (code, *modifiers))
    diagnosed = " ".join(squeeze(one).replace(".", "") for one in dxs)
    return " ".join(filter(None, (coded, diagnosed, f"{_amount(units)} x {_amount(charge)}")))


def _amount(text: str) -> str:
    try:
        return f"{Decimal(text.replace('$', '').replace(',', '') or '0').normalize():f}"
    except InvalidOperation:
        return text
