"""Deeds: each is checked, recorded, and handed to the practice's owner; the page that follows shows what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.items import as_shown, item
from daemon.console.publishing import NotAsked
from daemon.console.roles import FOR, May
from daemon.console.rules import Access, get, post
from daemon.operator import deeds
from daemon.operator.commands import Followed
from daemon.operator.concerned import patients_named
from daemon.operator.deeds import Asking, Asks, NotPossible
from daemon.operator.onboarding import is_of_first_day
from daemon.operator.worklist import Work
from daemon.tables import documents as tables
from events.holds import scope_in
from events.ids import PRACTICE, BillingPatientId, Charts, EhrChartId, EventId, PatientKey, charts_of
from events.maps import MapKind
from events.writes import Resource, System
from projections.rules.holds import hold_shown_as
from projections.rules.mapping import MapRow
from projections.words.known import provider_names
from projections.words.remedy import Remedy
from projections.words.words import describe

LARGEST = 10**18
ABOUT = (
    "slot", "field", "bill", "ehr", "billing", "system", "one", "other", "resource", "until", "kind", "id", "to", "source", "target",
)  # fmt: skip
"""The fields of a form that the access log keeps: what a deed is about, never a text that somebody typed."""
FOLLOWED = 2000
"""Events after a command that are looked through for what came of it."""
LOOKS = 20
"""How often the page of a deed looks again by itself."""


def new_once() -> str:
    """Names one filling-in of a form: sent twice, it is done once."""
    return secrets.token_urlsafe(16)


def asking(ask: Ask) -> Asking:
    """Who asks, and why, as the form says."""
    once, reason = ask.form.get("once", ""), ask.form.get("reason", "").strip()[:500]
    if len(once) < 16:
        raise web.HTTPBadRequest
    return Asking(ask.store, ask.policy, ask.who, reason, f"{ask.who} {once[:64]}")


def shown_in(ask: Ask) -> str:
    """What the page has shown of what is asked about: the practice's owner, too, does nothing where it is another by then."""
    return ask.form.get("shown", "")[:100]


def number(text: str) -> int:
    """An id of a form. Raises 400."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        raise web.HTTPBadRequest
    return int(text)


def need(ask: Ask, *granted: May) -> None:
    """One of these is needed. Raises 403."""
    if not ask.grants.intersection(granted):
        raise web.HTTPForbidden


# -- the deeds of one form ------------------------------------------------------------------------------------------------


async def _resync(ask: Ask, key: PatientKey) -> Asks:
    return await deeds.resync(asking(ask), charts_of(key))


async def _as_new(ask: Ask, key: PatientKey) -> Asks:
    return await deeds.resync(asking(ask), charts_of(key), as_new=True)


async def _retry(ask: Ask, key: PatientKey) -> Asks:
    one = await item(ask, key)
    return await deeds.retry(asking(ask), charts_of(key), (one.slot,))


async def _retry_shared(ask: Ask, key: PatientKey) -> Asks:
    one = await item(ask, key)
    return await deeds.retry(asking(ask), None, (one.slot,))


async def _try_systems(ask: Ask, _key: PatientKey) -> Asks:
    return await deeds.retry(asking(ask), None)


async def _resend(ask: Ask, _key: PatientKey) -> Asks:
    return await deeds.resend(asking(ask), number(ask.form.get("bill", "")))


async def _release_bill(ask: Ask, _key: PatientKey) -> Asks:
    return await deeds.release_bill(asking(ask), number(ask.form.get("bill", "")))


async def _dismiss(ask: Ask, key: PatientKey) -> Asks:
    one = await as_shown(ask, key)
    return await deeds.dismiss(asking(ask), charts_of(key), one.slot, seen=shown_in(ask))


async def _remove_policy(ask: Ask, key: PatientKey) -> Asks:
    one = await as_shown(ask, key)
    return await deeds.remove_policy(asking(ask), charts_of(key), number(one.about), seen=shown_in(ask))


async def _seen(ask: Ask, key: PatientKey) -> Asks:
    if ask.form.get("slot"):
        await as_shown(ask, key)
    fields = (ask.form["field"],) if ask.form.get("field") else ()
    return await deeds.seen(asking(ask), charts_of(key), fields, as_shown=shown_in(ask) if fields else "")


async def _go_live(ask: Ask, _key: PatientKey) -> Asks:
    if ask.form.get("sure") != "yes":
        raise web.HTTPBadRequest
    return await deeds.go_live(asking(ask))


async def _observe(ask: Ask, _key: PatientKey) -> Asks:
    return await deeds.go_live(asking(ask), undo=True)


async def _redrive(ask: Ask, _key: PatientKey) -> Asks:
    return await deeds.redrive(asking(ask), ask.form.get("slot") or None)


async def _link(ask: Ask, _key: PatientKey) -> Asks:
    """Only the pair that was looked at: the form says that its differences were, and (`again`) that somebody had told the two apart."""
    ehr, billing = EhrChartId(number(ask.form.get("ehr", ""))), BillingPatientId(number(ask.form.get("billing", "")))
    return await deeds.link(
        asking(ask),
        ehr,
        billing,
        force=ask.form.get("differ") == "seen",
        seen=ask.form.get("seen", "")[:100],
        undecided=ask.form.get("again") != "seen",
    )


async def _not_the_same(ask: Ask, _key: PatientKey) -> Asks:
    ehr, billing = EhrChartId(number(ask.form.get("ehr", ""))), BillingPatientId(number(ask.form.get("billing", "")))
    return await deeds.unlink(asking(ask), Charts(ehr, billing), undecided=True)


async def _move_link(ask: Ask, _key: PatientKey) -> Asks:
    """Only to the survivor that was looked at, as `_link`."""
    source, target = (BillingPatientId(number(ask.form.get(name, ""))) for name in ("source", "target"))
    ehr, differ = EhrChartId(number(ask.form.get("ehr", ""))), ask.form.get("differ") == "seen"
    seen = ask.form.get("seen", "")[:100]
    return await deeds.move_link(asking(ask), source, target, ehr, force=differ, seen=seen)


async def _apart(ask: Ask, _key: PatientKey) -> Asks:
    system = next((one for one in System if one.value == ask.form.get("system")), None)
    if system is None:
        raise web.HTTPBadRequest
    return await deeds.apart(asking(ask), system, number(ask.form.get("one", "")), number(ask.form.get("other", "")))


async def _unlink(ask: Ask, key: PatientKey) -> Asks:
    return await deeds.unlink(asking(ask), charts_of(key))


def may_hold(key: PatientKey) -> frozenset[May]:
    """What is needed to hold and release: of one patient, or of the practice; each of these is enough."""
    return frozenset({May.RESOLVE, May.OPERATE}) if key else frozenset({May.OPERATE})


async def _hold(ask: Ask, key: PatientKey) -> Asks:
    need(ask, *may_hold(key))
    if not key and ask.form.get("sure") != "yes":
        raise web.HTTPBadRequest
    resource = next((one for one in Resource if one.value == ask.form.get("resource")), None)
    system = next((one for one in System if one.value == ask.form.get("system")), None)
    return await deeds.hold(asking(ask), charts_of(key), resource=resource, system=system, until=_until(ask))


def _until(ask: Ask) -> datetime | None:
    """The time of the form, where the practice is. Raises 400."""
    text = ask.form.get("until", "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ask.zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise web.HTTPBadRequest from None


async def _release(ask: Ask, _key: PatientKey) -> Asks:
    scope = scope_in(ask.form.get("slot", ""))
    if scope is None:
        raise web.HTTPBadRequest
    need(ask, *may_hold(scope.patient))
    directory = await tables.directory(ask.store.pool, ask.id, ask.store.keyring)
    began = directory.holds.get(ask.form["slot"])
    if began is not None and ask.form.get("shown", "") not in ("", hold_shown_as(began)):
        raise NotPossible("somebody has put another hold in the place of this one: look at it again, then release it")
    return await deeds.release_slot(asking(ask), ask.form["slot"], seen=shown_in(ask))


async def _keep_out(ask: Ask, key: PatientKey, *, undo: bool = False) -> Asks:
    if not key:
        raise web.HTTPBadRequest
    need(ask, *may_hold(key))
    return await deeds.keep_out(asking(ask), charts_of(key), undo=undo)


def map_row_in(ask: Ask) -> MapRow:
    """The row of the maps that a form names. Raises 400."""
    kind = next((one for one in MapKind if one.value == ask.form.get("kind")), None)
    if kind is None:
        raise web.HTTPBadRequest
    return MapRow(kind, number(ask.form.get("id", "")))


async def _map(ask: Ask, _key: PatientKey) -> Asks:
    row, to = map_row_in(ask), ask.form.get("to", "").strip()[:20]
    return await deeds.map_row(asking(ask), row.kind, row.id, to, was=ask.form.get("was"))


async def _give_back(ask: Ask, _key: PatientKey) -> Asks:
    row = map_row_in(ask)
    return await deeds.give_back(asking(ask), row.kind, row.id)


@dataclass(frozen=True)
class Deed:
    """What a form can ask for. `may`: one of these is needed; of a waiting item its audience decides beyond that."""

    asks: Callable[[Ask, PatientKey], Awaitable[Asks]]
    may: frozenset[May]


ANY = frozenset(FOR.values())
HOLDS = frozenset({May.RESOLVE, May.OPERATE})
DEEDS: Mapping[str, Deed] = {
    "resync": Deed(_resync, ANY),
    "create": Deed(_as_new, frozenset({May.RESOLVE})),
    "retry": Deed(_retry, ANY),
    "retry-shared": Deed(_retry_shared, ANY),
    "try-systems": Deed(_try_systems, frozenset({May.OPERATE})),
    "resend": Deed(_resend, frozenset({May.BILL})),
    "release-bill": Deed(_release_bill, frozenset({May.BILL})),
    "dismiss": Deed(_dismiss, ANY),
    "remove-policy": Deed(_remove_policy, ANY),
    "seen": Deed(_seen, frozenset({May.RESOLVE})),
    "redrive": Deed(_redrive, frozenset({May.OPERATE})),
    "link": Deed(_link, frozenset({May.RESOLVE})),
    "move-link": Deed(_move_link, frozenset({May.RESOLVE})),
    "not-the-same": Deed(_not_the_same, frozenset({May.RESOLVE})),
    "unlink": Deed(_unlink, frozenset({May.RESOLVE})),
    "apart": Deed(_apart, frozenset({May.RESOLVE})),
    "hold": Deed(_hold, HOLDS),
    "release": Deed(_release, HOLDS),
    "keep-out": Deed(_keep_out, HOLDS),
    "go-live": Deed(_go_live, frozenset({May.OPERATE})),
    "observe": Deed(_observe, frozenset({May.OPERATE})),
    "take-in": Deed(partial(_keep_out, undo=True), HOLDS),
    "map": Deed(_map, frozenset({May.OPERATE})),
    "give-back": Deed(_give_back, frozenset({May.OPERATE})),
}
"""The deeds by the name that a form has for each: none can be without saying who may."""

BULK: Mapping[Remedy, Callable[[Ask, Work], Awaitable[Asks]]] = {
    Remedy.RESYNC: lambda ask, one: deeds.resync(asking(ask), charts_of(one.key)),
    Remedy.RETRY: lambda ask, one: deeds.retry(asking(ask), charts_of(one.key), (one.slot,)),
    Remedy.BILL: lambda ask, one: deeds.resend(asking(ask), number(one.about)),
    Remedy.RELEASE_BILL: lambda ask, one: deeds.release_bill(asking(ask), number(one.about)),
    Remedy.SEEN: lambda ask, one: deeds.seen(asking(ask), charts_of(one.key), (one.about,)),
    Remedy.REDRIVE: lambda ask, one: deeds.redrive(asking(ask), one.slot),
}
"""What can be done to many at once: nothing that needs somebody to look at each."""


@dataclass(frozen=True)
class HandedOver:
    """What was handed over, or why nothing was."""

    commands: tuple[EventId, ...] = ()
    said: str = ""
    status: int = 200


async def ask_for(ask: Ask, wanted: Sequence[Awaitable[Asks]]) -> HandedOver:
    """Make the commands and hand them over."""
    asks: list[Followed] = []
    try:
        for index, one in enumerate(wanted):
            try:
                asks += await one
            except BaseException:
                for left in wanted[index + 1 :]:
                    left.close()  # type: ignore[attr-defined]
                raise
        if not asks:
            return HandedOver(said="There is nothing to be done any more.")
        await ask.console.publishing.publish(ask.id, asks)
    except NotPossible as no:
        return HandedOver(said=f"{str(no)[:1].upper()}{str(no)[1:]}.", status=404 if no.found else 400)
    except NotAsked as no:
        return HandedOver(said=str(no), status=503)
    return HandedOver(tuple(one.command.id for one in asks))


async def deed(ask: Ask) -> web.StreamResponse:
    """One deed of a form."""
    name = ask.form.get("deed", "")
    if name not in DEEDS:
        raise web.HTTPBadRequest
    if not ask.grants & DEEDS[name].may:
        raise web.HTTPForbidden
    key = ask.key(ask.form["patient"]) if ask.form.get("patient") else PRACTICE
    about = " ".join(text for one in ABOUT if (text := ask.form.get(one, "")[:100]))
    wanted = DEEDS[name].asks(ask, key)
    done = await ask_for(ask, [_after_record(ask, name, key, about, wanted)])
    if done.said:
        return ask.page("said.html", http=done.status, said=done.said)
    return ask.see(f"/p/{ask.id}/done/{done.commands[0]}")


async def _after_record(ask: Ask, name: str, key: PatientKey, about: str, wanted: Awaitable[Asks]) -> Asks:
    """What is allowed is recorded before it is asked for, of each patient whom the commands name, whatever the form says."""
    try:
        asks = await wanted
    except NotPossible:
        await ask.record(f"deed: {name}, not possible", key, about)
        raise
    await ask.record_deed(name, {one for each in asks for one in patients_named(each.command)}, about)
    return asks


async def done(ask: Ask) -> web.StreamResponse:
    """What came of a deed, as far as it has come."""
    try:
        id_ = EventId(UUID(ask.request.match_info["event"]))
    except ValueError:
        raise web.HTTPNotFound from None
    look = ask.request.query.get("look", "0")
    looks = int(look) if look.isascii() and look.isdecimal() and len(look) < 4 else LOOKS
    recorded = await ask.store.by_id(ask.id, id_)
    if recorded is None:
        await ask.record("deed: looked after", detail=str(id_))
        return ask.page(
            "done.html", lines=[], refused="", waits=True, look=looks + 1, again=looks < LOOKS, patient="", first_day=False
        )
    followed = await deeds.asked_before(ask.store, ask.id, recorded)
    async for one in ask.store.read(ask.id, after=recorded.sequence - 1, up_to=recorded.sequence + FOLLOWED):
        followed.take(one)
    key = recorded.event.patient
    await ask.record_each("deed: looked after", {key, *(one.event.patient for one in followed.events)}, str(id_))
    ask.providers = provider_names(await tables.directory(ask.store.pool, ask.id, ask.store.keyring), ask.names)
    lines = [(one.recorded, one.event.origin, describe(one.event.body, ask.shown)) for one in followed.events]
    return ask.page(
        "done.html",
        lines=lines,
        refused="" if followed.refused is None else followed.refused.text,
        waits=not followed.settled,
        look=looks + 1,
        again=looks < LOOKS and not followed.settled,
        patient=ask.handle(key) if key else "",
        first_day=is_of_first_day(recorded.event.body),
    )


ROUTES = (
    post("/p/{practice}/deed", deed, Access(May.PATIENTS, recorded=True)),
    get("/p/{practice}/done/{event}", done, Access(May.PATIENTS, recorded=True)),
)
