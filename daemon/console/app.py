"""The web pages as a process of its own: what it opens, the routes with their rules, and running until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp_jinja2
import jinja2
from aiohttp import web

from daemon.config import Config, keyring_of, keys_given
from daemon.console import entrance
from daemon.console.asked import CONSOLE, Ask, Console
from daemon.console.duplicate_looks import DuplicateLooks
from daemon.console.factors import Factors
from daemon.console.filters import FILTERS
from daemon.console.guard import BODY_BYTES, BODY_SECONDS, RequestGuard
from daemon.console.handles import Handles
from daemon.console.news import News
from daemon.console.oidc import IdentityProvider
from daemon.console.pages import (
    access_log,
    balances,
    billing,
    deeds,
    doubled,
    factor,
    finding,
    holding,
    live,
    mapping,
    moving,
    onboarding,
    overview,
    patient,
    patients_link,
    provider,
    scheduled,
    searching,
    settings,
    undecided,
    work,
)
from daemon.console.passwords import Passwords
from daemon.console.publishing import Publishing
from daemon.console.rehearsals import Rehearsals
from daemon.console.rules import PUBLIC, Route, check, declared, get
from daemon.console.sessions import Sessions
from daemon.runtime.listening import HEAD_SECONDS, Site, timed
from daemon.sections import secret
from daemon.servers import ConsoleConfig, host_and_port
from events.store import Store

MOST_CONNECTIONS = 1024
"""A browser keeps up to six, and its stream of news one of them."""

STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


async def static(ask: Ask) -> web.StreamResponse:
    """A file of the package."""
    name = ask.request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    return web.Response(body=_file(name), content_type=STATIC[name], charset="utf-8")


def _file(name: str) -> bytes:
    return files("daemon.console").joinpath("static", name).read_bytes()


async def alive(_ask: Ask) -> web.StreamResponse:
    """For whoever watches the process."""
    return web.Response(text="ok\n")


ROUTES: tuple[Route, ...] = (
    get("/static/{name}", static, PUBLIC),
    get("/alive", alive, PUBLIC),
    *entrance.ROUTES,
    *provider.ROUTES,
    *factor.ROUTES,
    *overview.ROUTES,
    *work.ROUTES,
    *deeds.ROUTES,
    *patient.ROUTES,
    *finding.ROUTES,
    *undecided.ROUTES,
    *doubled.ROUTES,
    *billing.ROUTES,
    *balances.ROUTES,
    *scheduled.ROUTES,
    *holding.ROUTES,
    *onboarding.ROUTES,
    *mapping.ROUTES,
    *moving.ROUTES,
    *patients_link.ROUTES,
    *settings.ROUTES,
    *access_log.ROUTES,
    *searching.ROUTES,
    *live.ROUTES,
)


async def _unreached(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound  # the guard answers in its place


def make_app(
    console: Console, config: ConsoleConfig, routes: Sequence[Route] = ROUTES, *, body_seconds: float = BODY_SECONDS
) -> web.Application:
    """The application. Raises Undeclared for a route that nobody has said of who may use it."""
    known = declared(routes)
    guard = RequestGuard(known, config, body_seconds)
    app = web.Application(middlewares=[timed, guard.middleware()], client_max_size=BODY_BYTES)
    app.on_response_prepare.append(guard.add_headers)
    app[CONSOLE] = console
    app.on_shutdown.append(_end_streams)
    for one in routes:
        app.router.add_route(one.method, one.path, _unreached)
        if one.method == "GET":
            app.router.add_route("HEAD", one.path, _unreached)
    check(app.router, known)
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("daemon.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= FILTERS
    environment.globals["parts"] = environment.get_template("parts.html").module
    environment.trim_blocks = environment.lstrip_blocks = True
    return app


async def _end_streams(app: web.Application) -> None:
    app[CONSOLE].news.end()


@contextlib.asynccontextmanager
async def opened(config: Config, file: Path) -> AsyncIterator[Console]:
    """What the pages stand on: the store as the console's own role, the practices' keys, no vendor's secret."""
    assert config.console is not None
    beside = file.parent
    store = await Store.open(config.console.dsn, keyring_of(config, beside), min_size=1, max_size=config.console.pool)
    publishing = Publishing(config, beside, store)
    key = secret(config.console.key_file, beside) if config.console.key_file else ""
    try:
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            news = News(store.pool, config.console.idle_minutes * 60)
            rehearsals, duplicate_looks = Rehearsals(store, group), DuplicateLooks(store, group)
            looking = group.create_task(news.run())
            yield Console(
                config=config,
                given=keys_given(file),
                beside=beside,
                store=store,
                sessions=Sessions(store.pool, config.console, Passwords(), Factors(store.pool, key, time.time)),
                publishing=publishing,
                handles=Handles(store.keyring),
                news=news,
                rehearsals=rehearsals,
                duplicate_looks=duplicate_looks,
                provider=_provider_of(config.console, beside, http),
            )
            looking.cancel()
            rehearsals.stop()
            duplicate_looks.stop()
    finally:
        await publishing.close()
        await store.close()


def _provider_of(config: ConsoleConfig, beside: Path, http: aiohttp.ClientSession) -> IdentityProvider | None:
    if config.oidc is None:
        return None
    return IdentityProvider(
        config.oidc, secret(config.oidc.client_secret_file, beside), f"{config.url}{provider.BACK}", http, time.time
    )


@contextlib.asynccontextmanager
async def serving(
    config: Config, file: Path, *, head_seconds: float = HEAD_SECONDS, body_seconds: float = BODY_SECONDS
) -> AsyncIterator[Console]:
    """The pages of the configuration `file`, served at `[console] listen` within the context; whoever sends too slowly is cut off."""
    assert config.console is not None
    address = host_and_port(config.console.listen)
    assert address is not None
    async with opened(config, file) as console:
        runner = web.AppRunner(make_app(console, config.console, body_seconds=body_seconds), access_log=None)
        await runner.setup()
        try:
            await Site(runner, *address, most=MOST_CONNECTIONS, head_seconds=head_seconds).start()
            yield console
        finally:
            await runner.cleanup()


async def serve(config: Config, file: Path, stopped: asyncio.Event, started: Any = None) -> None:
    """Serve until `stopped`; `started` is called once the pages can be reached."""
    async with serving(config, file):
        if started is not None:
            started()
        await stopped.wait()
