"""Maps: what maps to what, by whom or by which file, what waits for a row; what a change would come to is shown before it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.pages.deeds import map_row_in, new_once
from daemon.console.pages.work import name_of
from daemon.console.roles import May
from daemon.console.rules import Access, get, post
from daemon.operator.maps import MapEffect, effect_of, maps_of
from events.maps import MapKind
from projections.terms.names import Names
from projections.words.mapped import TITLES, effect_in_words, source_in_words

SHOWN_PATIENTS = 20


async def maps(ask: Ask) -> web.StreamResponse:
    """All rows, with a form for each that leads to what it would come to."""
    found = await maps_of(ask.store, ask.policy)
    titles = {kind: text.format(ehr=ask.names.ehr.label, billing=ask.names.billing.label) for kind, text in TITLES.items()}
    sides = {kind: _sides(ask, kind) for kind in MapKind}
    return ask.page("maps.html", found=found, titles=titles, sides=sides, kinds=list(MapKind), said=source_in_words)


def _sides(ask: Ask, kind: MapKind) -> tuple[str, str]:
    """What is mapped and to what, as headings."""
    ehr, billing = ask.names.ehr.label, ask.names.billing.label
    match kind:
        case MapKind.CALENDAR:
            return billing, f"Calendar in {ehr}"
        case MapKind.PLACE:
            return ehr, "Code"
        case MapKind.PHYSICIAN:
            return "", ehr
    return ehr, billing


async def effect(ask: Ask) -> web.StreamResponse:
    """What saving a row, or giving it back, would come to, before it is asked for."""
    row = map_row_in(ask)
    to = None if ask.form.get("back") == "yes" else ask.form.get("to", "").strip()[:20]
    found = await effect_of(ask.store, ask.policy, row, to, datetime.now(UTC))
    if found is None or to == "":
        await ask.record("maps: asked about, nothing to map")
        return ask.page("said.html", http=404, said="There is no such row, or nothing was chosen that it could lead to.")
    shown = found.goes_on[:SHOWN_PATIENTS]
    await ask.record_each("maps: asked about", {one.patient.key for one in shown})
    people = [(ask.handle(one.patient.key), name_of(one.patient), one) for one in shown]
    return ask.page(
        "map_effect.html",
        effect=found,
        sides=_sides(ask, found.line.row.kind),
        told=_told(found, ask.names),
        said=source_in_words,
        people=people,
        more=len(found.goes_on) - len(shown),
        once=new_once(),
    )


def _told(found: MapEffect, names: Names) -> list[str]:
    return list(
        effect_in_words(
            found.counts(),
            found.written(),
            names,
            everybody=found.everybody,
            all_seen=found.all_seen,
            observing=found.observing,
        )
    )


ROUTES = (
    get("/p/{practice}/maps", maps, Access(May.PATIENTS)),
    post("/p/{practice}/maps/effect", effect, Access(May.OPERATE, recorded=True)),
)
