"""Which routes there are, and who may use each: a route without a rule keeps the console from starting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.roles import May

Handler = Callable[[Ask], Awaitable[web.StreamResponse]]


class Undeclared(Exception):
    """A route that nobody has said of who may use it."""


@dataclass(frozen=True)
class Access:
    """Who may use a route: `public` is everybody; else who is signed in, and has `may` in the practice of the address.

    `recorded`: it shows or changes something of a patient, so nothing is answered unless the access log has it. `unproven`: also for
    who has to set up a second factor first.
    """

    may: May | None = None
    public: bool = False
    recorded: bool = False
    unproven: bool = False


PUBLIC = Access(public=True)
SIGNED_IN = Access()
UNPROVEN = Access(unproven=True)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Handler
    access: Access


def get(path: str, handler: Handler, access: Access) -> Route:
    return Route("GET", path, handler, access)


def post(path: str, handler: Handler, access: Access) -> Route:
    return Route("POST", path, handler, access)


Declared = dict[tuple[str, str], Route]
"""By method and path, as the router names them."""


def declared(routes: Iterable[Route]) -> Declared:
    """The routes by what the router calls them; a HEAD is as its GET."""
    found: Declared = {}
    for one in routes:
        found[one.method, one.path] = one
        if one.method == "GET":
            found["HEAD", one.path] = one
    return found


def path_of(route: web.AbstractRoute) -> str:
    return route.resource.canonical if route.resource is not None else ""


def check(router: web.UrlDispatcher, known: Declared) -> None:
    """Every route of the router has a rule, and one that makes sense. Raises Undeclared."""
    for route in router.routes():
        one = known.get((route.method, path_of(route)))
        if one is None:
            raise Undeclared(f"{route.method} {path_of(route)} has no rule")
        if ("{practice}" in one.path) is not (one.access.may is not None):
            raise Undeclared(f"{route.method} {path_of(route)}: what is asked for is granted by practice")
