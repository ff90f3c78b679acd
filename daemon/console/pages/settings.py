"""Settings: every one of the practice and of the daemon, its value and where it comes from; what people have set leads to where it is undone."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.roles import May
from daemon.console.rules import Access, get
from daemon.operator.settings import said_by_persons, settings_of
from daemon.tables import documents
from events.ids import Charts, keys_named

DAEMON = frozenset({May.OPERATE, May.AUDIT})
"""Who sees the settings of the daemon, too: where its servers are."""


async def settings(ask: Ask) -> web.StreamResponse:
    """Bodies are opened only for who may see them: what people have said of the practice is in the directory."""
    console = ask.console
    found = settings_of(console.config, ask.practice, console.given, console.beside)
    persons = []
    if ask.sees:
        directory = await documents.directory(ask.store.pool, ask.id, ask.store.keyring)
        held = {key for one in directory.holds.values() for key in keys_named(Charts(one.ehr, one.billing))}
        if held:
            await ask.record_each("settings", held)
        persons = list(said_by_persons(directory, ask.names))
    return ask.page("settings.html", found=found, persons=persons, whole=bool(ask.grants & DAEMON))


ROUTES = (get("/p/{practice}/settings", settings, Access(May.SEE)),)
