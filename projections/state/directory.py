"""The practice's directory: providers, locations, carriers and plans of both systems, and how they map.

Maps go by configuration first, then by NPI, then by exact name, only where unambiguous (guide: maps). Anything unmapped is
None here and a visible waiting item where it is needed; `Directory` itself is a pure fold of directory events and of
practice-level intents (carriers and plans are created once per practice, not per patient).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from events.codes import WaitCode
from events.first_day import LiveChosen
from events.holds import HoldBegan, HoldEnded, KeptOut
from events.ids import Charts, keys_named
from events.insurance import InsurersLearnt
from events.merges import ToldApart
from events.records import BillingPlan, Carrier, Location, Plan, Provider, Value
from events.restarts import HistoryRestarted, HistoryResumed
from events.schema import (
    BillingDirectoryObserved,
    ChangeQuarantined,
    EhrDirectoryObserved,
    Event,
    IntentSucceeded,
    MessageUnreadable,
    ObservingBegan,
    WaitingCleared,
    WaitingDismissed,
    WaitingRaised,
    WentLive,
)
from events.slots import SlotKind, slot_of
from events.writes import CreateCarrier, CreatePlan, RecordCreated, System, UpdateCarrier
from projections.state.open_intents import Dismissed, OpenIntent, Waiting, dismiss, follow_intent, without
from projections.state.quarantine import quarantine_slot
from projections.state.restart import Restarted, follow_restart
from projections.terms.codecs import squeeze
from projections.terms.policy import Policy


class CarrierTold(Value, frozen=True, kw_only=True):
    """What a carrier of ours was told last, by the names of CreateCarrier, and of which plan of the billing side that was."""

    plan_id: str
    fields: dict[str, str]


class Directory(Value, frozen=True, kw_only=True):
    """What is known of the practice at large; see the module's docstring. `quarantined` are event ids by slot, `told_apart` by `pair_key`,
    `holds` by slot, `kept_out` by the key of a patient who has only that chart: with what was taken back by a person, too. `carriers_told` are
    by the billing side's company. `live_chosen` is who said that the practice goes live, though its configuration has it observed."""

    physicians: tuple[Provider, ...] = ()
    ehr_locations: tuple[Location, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    plans: tuple[Plan, ...] = ()
    providers: tuple[Provider, ...] = ()
    billing_locations: tuple[Location, ...] = ()
    created_carriers: dict[str, int] = {}
    created_plans: dict[str, int] = {}
    intents: dict[str, OpenIntent] = {}
    waiting: dict[str, Waiting] = {}
    dismissed: dict[str, Dismissed] = {}
    quarantined: dict[str, str] = {}
    ehr_seen: bool = False
    billing_seen: bool = False
    observing: bool = False
    billing_plans: dict[str, BillingPlan] = {}
    told_apart: dict[str, ToldApart] = {}
    carriers_told: dict[str, CarrierTold] = {}
    holds: dict[str, HoldBegan] = {}
    kept_out: dict[str, KeptOut] = {}
    restarted: Restarted | None = None
    live_chosen: LiveChosen | None = None


_DECODER = msgspec.msgpack.Decoder(Directory)
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
CARRIER_FIELDS = ("name", "address1", "address2", "city", "state", "zip", "phone")
SHORT_MAP, SHORT_HEADER = 15, 0x80
"""MessagePack: the most members of a map whose header is one byte, and that byte without their number."""


def encode_directory(directory: Directory) -> bytes:
    """The stored form: the same directory always gives the same bytes (I7).

    A struct of more than fifteen members has a longer header; what was stored while there were fifteen has the short one.
    """
    encoded = _ENCODER.encode(directory)
    count = int.from_bytes(encoded[1:3])
    return encoded if count > SHORT_MAP else bytes((SHORT_HEADER | count,)) + encoded[3:]


def decode_directory(encoded: bytes) -> Directory:
    return _DECODER.decode(encoded)


def fold_directory(directory: Directory, event: Event, sequence: int) -> Directory:
    """The directory after `event`, which belongs to the practice itself."""
    body = event.body
    match body:
        case EhrDirectoryObserved():
            return replace(
                directory,
                physicians=body.providers,
                ehr_locations=body.locations,
                carriers=body.carriers,
                plans=body.plans,
                ehr_seen=True,
            )
        case BillingDirectoryObserved():
            return replace(directory, providers=body.providers, billing_locations=body.locations, billing_seen=True)
        case InsurersLearnt():
            return replace(directory, billing_plans={**directory.billing_plans, **{one.plan_id: one for one in body.plans}})
        case ChangeQuarantined() | MessageUnreadable():
            return _set_aside(directory, body, event)
        case WaitingRaised():
            waiting = Waiting(code=body.code, text=body.text, depends_on=body.depends_on, since=event.observed)
            return replace(
                directory,
                waiting={**directory.waiting, body.slot: waiting},
                dismissed=without(directory.dismissed, body.slot),
            )
        case ObservingBegan() | WentLive() | LiveChosen():
            return _first_day(directory, body)
        case HistoryRestarted() | HistoryResumed():
            return replace(directory, restarted=follow_restart(directory.restarted, body, event.observed))
        case WaitingCleared():
            return replace(
                directory,
                waiting=without(directory.waiting, body.slot),
                dismissed=without(directory.dismissed, body.slot),
                quarantined=without(directory.quarantined, body.slot),
            )
        case WaitingDismissed():
            waits, dismissed = dismiss(directory.waiting, directory.dismissed, body, event.observed)
            return replace(directory, waiting=waits, dismissed=dismissed)
        case ToldApart():
            key = pair_key(body.system, body.one, body.other)
            told = {**directory.told_apart, key: body} if body.apart else without(directory.told_apart, key)
            return replace(directory, told_apart=told)
        case HoldBegan() | HoldEnded() | KeptOut():
            return _left_alone(directory, body, event)
        case IntentSucceeded():
            directory = _written(directory, body)
    return replace(directory, intents=follow_intent(directory.intents, event))


def pair_key(system: System, one: int, other: int) -> str:
    """Two charts of one system, whichever is named first."""
    return f"{system.value}:{min(one, other)}:{max(one, other)}"


def _first_day(directory: Directory, body: ObservingBegan | WentLive | LiveChosen) -> Directory:
    if isinstance(body, LiveChosen):
        return replace(directory, live_chosen=body if body.live else None)
    return replace(directory, observing=isinstance(body, ObservingBegan))


def _left_alone(directory: Directory, body: HoldBegan | HoldEnded | KeptOut, event: Event) -> Directory:
    """A hold is an item of the practice as long as it lasts."""
    match body:
        case HoldBegan():
            waiting = Waiting(code=WaitCode.ON_HOLD.value, text=body.text, since=event.observed)
            return replace(
                directory,
                holds={**directory.holds, body.slot: body},
                waiting={**directory.waiting, body.slot: waiting},
            )
        case HoldEnded():
            return replace(
                directory, holds=without(directory.holds, body.slot), waiting=without(directory.waiting, body.slot)
            )
    return replace(directory, kept_out=_kept_out(directory, body))


def _kept_out(directory: Directory, body: KeptOut) -> dict[str, KeptOut]:
    """Who is kept out: what a person took back stays known, so that no rule keeps it out again."""
    keys = keys_named(Charts(body.ehr, body.billing))
    if body.out or body.who:
        return {**directory.kept_out, **dict.fromkeys(keys, body)}
    return without(directory.kept_out, *keys)


def message_slot(body: MessageUnreadable) -> str:
    """Where an unreadable Kafka message waits."""
    return slot_of(SlotKind.QUARANTINE, "kafka", body.partition, body.offset)


def _set_aside(directory: Directory, body: ChangeQuarantined | MessageUnreadable, event: Event) -> Directory:
    """A record or a message that could not be used waits, and what holds it is known."""
    if isinstance(body, ChangeQuarantined):
        slot, code = quarantine_slot(body.system, body.resource, body.record), WaitCode.QUARANTINED
        text = f"a change of {body.system.value} {body.resource} could not be used ({body.reason} at {body.path or '$'})"
    else:
        slot, code = message_slot(body), WaitCode.UNREADABLE_MESSAGE
        place = f"{body.topic}, partition {body.partition}, offset {body.offset}"
        text = f"the message at {place} is unreadable: {body.reason}"
    return replace(
        directory,
        waiting={**directory.waiting, slot: Waiting(code=code.value, text=text, since=event.observed)},
        dismissed=without(directory.dismissed, slot),
        quarantined={**directory.quarantined, slot: str(event.id)},
    )


def _written(directory: Directory, body: IntentSucceeded) -> Directory:
    known = directory.intents.get(body.slot)
    match known and known.write, body.result:
        case CreateCarrier() as write, RecordCreated(id=id_):
            directory = replace(directory, created_carriers={**directory.created_carriers, write.company_id: id_})
            told = CarrierTold(plan_id=write.plan_id, fields={name: getattr(write, name) for name in CARRIER_FIELDS})
            return _told(directory, write.company_id, told) if write.plan_id else directory
        case CreatePlan(billing_plan_id=plan), RecordCreated(id=id_):
            return replace(directory, created_plans={**directory.created_plans, plan: id_})
        case UpdateCarrier() as write, _:
            before = directory.carriers_told.get(write.company_id)
            fields = {**(before.fields if before is not None else {}), **write.agreed}
            return _told(directory, write.company_id, CarrierTold(plan_id=write.plan_id, fields=fields))
    return directory


def _told(directory: Directory, company: str, told: CarrierTold) -> Directory:
    return replace(directory, carriers_told={**directory.carriers_told, company: told})


# -- maps ---------------------------------------------------------------------------------------------------------------


def provider_for(physician: int, directory: Directory, policy: Policy) -> int | None:
    """The Kareo provider of an Elation physician, None where unmapped or ambiguous."""
    if physician in policy.providers:
        return policy.providers[physician]
    known = next((one for one in directory.physicians if one.id == physician), None)
    return None if known is None else _counterpart(known, directory.providers)


def physician_for(provider: int, directory: Directory, policy: Policy) -> int | None:
    """The Elation physician of a Kareo provider, None where unmapped or ambiguous."""
    by_hand = [ehr for ehr, billing in policy.providers.items() if billing == provider]
    if by_hand:
        return by_hand[0] if len(by_hand) == 1 else None
    known = next((one for one in directory.providers if one.id == provider), None)
    return None if known is None else _counterpart(known, directory.physicians)


class Unmapped(StrEnum):
    """Why a provider of the billing system has no calendar on the chart side."""

    UNKNOWN = "unknown"
    INACTIVE = "inactive"
    SEVERAL = "several"


def why_unmapped(provider: int, directory: Directory, policy: Policy) -> Unmapped:
    """Of a provider without a physician: nobody there is the provider, or several are, or only somebody who is not active."""
    if sum(billing == provider for billing in policy.providers.values()) > 1:
        return Unmapped.SEVERAL
    known = next((one for one in directory.providers if one.id == provider), None)
    if known is None:
        return Unmapped.UNKNOWN
    alike = [
        one for one in directory.physicians if _person(one) == _person(known) or (_npi(one) and _npi(one) == _npi(known))
    ]
    if not alike:
        return Unmapped.UNKNOWN
    return Unmapped.SEVERAL if any(one.active for one in alike) else Unmapped.INACTIVE


def provider_named(name: str, directory: Directory) -> int | None:
    """The Kareo provider with exactly this full name (lists of appointments give names only)."""
    return _only(one.id for one in directory.providers if squeeze(one.full_name) == squeeze(name))


def _counterpart(provider: Provider, others: tuple[Provider, ...]) -> int | None:
    active = [one for one in others if one.active]
    npi = _npi(provider)
    if npi:
        by_npi = [one.id for one in active if _npi(one) == npi]
        if by_npi:
            return _only(by_npi)
    return _only(
        one.id for one in active if _person(one) == _person(provider) and not (_npi(one) and npi and _npi(one) != npi)
    )


def _npi(provider: Provider) -> str:
    """The NPI without the blanks that people type around and into it."""
    return "".join(provider.npi.split())


def _person(provider: Provider) -> tuple[str, str]:
    return squeeze(provider.first_name).casefold(), squeeze(provider.last_name).casefold()


def location_for(location: int, directory: Directory, policy: Policy) -> int | None:
    """The Kareo service location of an Elation one: by configuration, else by exact name."""
    if location in policy.locations:
        return policy.locations[location]
    known = next((one for one in directory.ehr_locations if one.id == location), None)
    if known is None:
        return None
    return _only(
        one.id for one in directory.billing_locations if squeeze(one.name).casefold() == squeeze(known.name).casefold()
    )


def carrier_of(company_id: str, directory: Directory) -> int | None:
    """The Elation carrier that is ours: created for this company of Kareo's, or carrying its id."""
    if company_id and company_id in directory.created_carriers:
        return directory.created_carriers[company_id]
    return min((one.id for one in directory.carriers if company_id and one.external_id == company_id), default=None)


def carrier_for(company_id: str, name: str, directory: Directory) -> int | None:
    """The Elation carrier of a Kareo insurance company: by Kareo's id, else by name."""
    if (ours := carrier_of(company_id, directory)) is not None:
        return ours
    free = [one.id for one in directory.carriers if not one.external_id and _insurer(one.name) == _insurer(name)]
    return min(free) if free else None


def plan_for(billing_plan: str, name: str, carrier: int, directory: Directory) -> int | None:
    """The Elation plan of a Kareo plan within `carrier`: created by us, else by normalized name."""
    if billing_plan and billing_plan in directory.created_plans:
        return directory.created_plans[billing_plan]
    same = [one.id for one in directory.plans if one.carrier == carrier and _insurer(one.name) == _insurer(name)]
    return min(same) if same else None


def company_of(carrier: int | None, name: str, directory: Directory) -> str | None:
    """The billing side's insurance company of a chart side's carrier, by its id: one that a policy there has shown.

    By the id that the carrier carries or was created for, else by name where just one company has it.
    """
    known = {one.company_id: one.company_name for one in directory.billing_plans.values()}
    made = [company for company, id_ in directory.created_carriers.items() if id_ == carrier and company in known]
    told = [one.external_id for one in directory.carriers if one.id == carrier and one.external_id in known]
    if made or told:
        return _single((*made, *told))
    return _single(company for company, its in known.items() if _insurer(its) == _insurer(name) and _insurer(name))


def billing_plan_of(company: str, plan: int | None, name: str, directory: Directory) -> BillingPlan | None:
    """The billing side's plan, of `company`, of a chart side's plan: the one it was created for, else just one of its name."""
    known = [one for one in directory.billing_plans.values() if one.company_id == company]
    made = [one for one in known if plan is not None and directory.created_plans.get(one.plan_id) == plan]
    found = made or [one for one in known if _insurer(one.plan_name) == _insurer(name) and _insurer(name)]
    return found[0] if len(found) == 1 else None


def single_plan_of(company: str, directory: Directory) -> BillingPlan | None:
    """The only plan of `company` that a policy has shown."""
    known = [one for one in directory.billing_plans.values() if one.company_id == company]
    return known[0] if len(known) == 1 else None


def _insurer(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _single(ids: Iterable[str]) -> str | None:
    found = set(ids)
    return found.pop() if len(found) == 1 else None


def _only(ids: Iterable[int]) -> int | None:
    found = set(ids)
    return found.pop() if len(found) == 1 else None
