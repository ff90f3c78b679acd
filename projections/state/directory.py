"""The practice's directory: providers, locations, carriers and plans of both systems, and what people have said of the practice.

`Directory` is a pure fold of directory events, of what people ask for the practice, and of practice-level intents (carriers and plans
are created once per practice, not per patient). How its records map: `maps.py`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from events.codes import WaitCode
from events.first_day import LiveChosen
from events.holds import HoldBegan, HoldEnded, KeptOut
from events.ids import Charts, keys_named
from events.insurance import InsurersLearnt
from events.maps import MapChange, MapGivenBack, MapSaved, map_key
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


class CarrierTold(Value, frozen=True, kw_only=True):
    """What a carrier of ours was told last, by the names of CreateCarrier, and of which plan of the billing side that was."""

    plan_id: str
    fields: dict[str, str]


class SavedRow(Value, frozen=True, kw_only=True):
    """A row of the maps as a person has saved it, and when."""

    row: MapSaved
    since: datetime


class Directory(Value, frozen=True, kw_only=True):
    """What is known of the practice at large; see the module's docstring. `quarantined` are event ids by slot, `told_apart` by `pair_key`,
    `holds` by slot, `kept_out` by the key of a patient who has only that chart: with what was taken back by a person, too. `carriers_told` are
    by the billing side's company, `mapped` by `map_key`. `live_chosen` is who said that the practice goes live, though its configuration has
    it observed."""

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
    mapped: dict[str, SavedRow] = {}
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


def fold_directory(directory: Directory, event: Event) -> Directory:
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
            return replace(directory, told_apart=_told_apart(directory, body))
        case HoldBegan() | HoldEnded() | KeptOut():
            return _left_alone(directory, body, event)
        case MapSaved() | MapGivenBack():
            return replace(directory, mapped=_mapped(directory, body, event))
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


def _told_apart(directory: Directory, body: ToldApart) -> dict[str, ToldApart]:
    key = pair_key(body.system, body.one, body.other)
    return {**directory.told_apart, key: body} if body.apart else without(directory.told_apart, key)


def _mapped(directory: Directory, body: MapChange, event: Event) -> dict[str, SavedRow]:
    """The rows that people have saved: one that was given back is the configuration's."""
    key = map_key(body.kind, body.id)
    if isinstance(body, MapSaved):
        return {**directory.mapped, key: SavedRow(row=body, since=event.observed)}
    return without(directory.mapped, key)


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
