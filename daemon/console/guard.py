"""What every request passes: where it comes from, who asks, what they may, and the headers of every answer.

Whatever is refused is recorded with the route's own path, never with the address that was typed.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from daemon.console.asked import CONSOLE, Ask
from daemon.console.rules import Declared, Route, path_of
from daemon.console.senders import address_of
from daemon.console.sessions import is_form_token, new_id
from daemon.servers import ConsoleConfig
from daemon.tables import access
from events.store import AWAY

log = structlog.get_logger()

SESSION_COOKIE, FORM_COOKIE, KNOWN_COOKIE = "chartwire_session", "chartwire_form", "chartwire_known"
LIVE_HEADER = "X-Live"
"""Our script has a page made anew by itself: nobody was there to ask for it."""

FORM_TYPE, CHARSET = "application/x-www-form-urlencoded", "utf-8"
BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
MOST_FIELDS = 1000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Server": "chartwire",
}
SAID = {
    400: "That request was not one of the console's own forms. Go back, load the page again, and repeat it.",
    401: "You are not signed in any more. Sign in and repeat it.",
    403: "Your role does not allow this here.",
    404: "There is nothing here, or nothing that is yours to see.",
    405: "That is not how this address is used.",
    413: "That was too much at once.",
    500: "Something went wrong here. It is in the log; nothing was changed by this page.",
    503: "The database cannot be reached. What you asked for could not be recorded, so it is not shown. Try again in a minute.",
}


class RequestGuard:
    """The middleware. `known` are the declared routes; a form has to come within `body_seconds`."""

    def __init__(self, known: Declared, config: ConsoleConfig, body_seconds: float = BODY_SECONDS) -> None:
        self._known = known
        self._body_seconds = body_seconds
        self._config = config
        url = urlsplit(config.url)
        self._hosts = {url.netloc, config.listen}
        self._origins = {f"{url.scheme}://{url.netloc}", f"http://{config.listen}"}
        self._secure = url.scheme == "https"

    def middleware(self) -> Middleware:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answered(request)

        return guard

    async def add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Those of every answer, also where it is not the guard's: of a stream, or to what the server itself refuses."""
        response.headers.update(HEADERS)
        if self._secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        console = request.app[CONSOLE]
        kept = cookie_of(request, FORM_COOKIE)
        ask = Ask(console, request, self._address(request), kept if len(kept) == len(new_id()) else new_id())
        try:
            response = await self._let_in(ask)
        except web.HTTPException as error:
            response = await self._refused(ask, error.status)
        except AWAY as error:
            log.warning("console_without_database", error_type=type(error).__name__)
            response = _said(ask, 503)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote a record
            log.error("page_failed", path=path_of(request.match_info.route), error_type=type(error).__name__)
            response = _said(ask, 500)
        if ask.shown_form and ask.form_id != kept:
            give_cookie(request, response, FORM_COOKIE, ask.form_id)
        return response

    def _address(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", []) if self._config.behind_proxy else []
        return address_of(request.remote or "", forwarded)

    async def _let_in(self, ask: Ask) -> web.StreamResponse:
        request = ask.request
        if request.host not in self._hosts:  # a name that somebody made to lead here
            raise web.HTTPNotFound
        unknown = request.match_info.http_exception
        if unknown is not None or not path_of(request.match_info.route).startswith("/static/"):
            visits = LIVE_HEADER not in request.headers and not request.path.endswith("/news")
            ask.visitor = await ask.console.sessions.visitor(cookie_of(request, SESSION_COOKIE), visits=visits)
        if unknown is not None:
            raise unknown
        route = self._known[request.method, path_of(request.match_info.route)]
        if ask.visitor is None and not route.access.public:
            if request.method == "POST":
                raise web.HTTPUnauthorized
            return ask.see("/sign-in")
        if ask.visitor is not None and ask.visitor.unproven and not (route.access.unproven or route.access.public):
            if request.method == "POST":
                raise web.HTTPForbidden
            return ask.see("/second-factor")
        if route.access.may is not None:
            # before the form: one that is refused is in the log of the practice whose page it was for
            ask.config = ask.console.practice(request.match_info["practice"])
        if request.method == "POST":
            ask.form = await self._form(ask)
        self._check_grants(ask, route)
        response = await route.handler(ask)
        if route.access.recorded and not ask.recorded:
            log.error("page_not_recorded", path=route.path)
            return _said(ask, 500)
        return response

    def _check_grants(self, ask: Ask, route: Route) -> None:
        """Another practice's pages look like pages that are not there."""
        wanted = route.access.may
        if wanted is None:
            return
        if not ask.grants:
            raise web.HTTPNotFound
        if wanted not in ask.grants:
            raise web.HTTPForbidden

    async def _form(self, ask: Ask) -> dict[str, str]:
        """The fields of a form of this session's own. Raises 400 or 413."""
        request = ask.request
        if not self._is_own(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")):
            raise web.HTTPBadRequest
        if request.content_type != FORM_TYPE or (request.charset or CHARSET).lower() != CHARSET:
            raise web.HTTPBadRequest
        try:
            async with asyncio.timeout(self._body_seconds):
                given = await request.post()
        except (TimeoutError, ValueError):
            raise web.HTTPBadRequest from None
        if len(given) > MOST_FIELDS:
            raise web.HTTPRequestEntityTooLarge(MOST_FIELDS, len(given))
        fields = {name: value for name, value in given.items() if isinstance(value, str) and "\0" not in name + value}
        if len(fields) < len(given):  # no page of ours sends a field twice, or what PostgreSQL cannot keep
            raise web.HTTPBadRequest
        session = ask.visitor.session if ask.visitor is not None else ask.form_id
        if not is_form_token(session, fields.pop("token", "")):
            raise web.HTTPBadRequest
        return fields

    def _is_own(self, origin: str | None, site: str | None) -> bool:
        """Whether a form was sent from a page of this console, as far as the browser says.

        Without a referrer browsers name no origin ("null") for a page's own forms; then they have to say that the site is the same.
        """
        if site is not None and site != "same-origin":
            return False
        return origin is None or origin in self._origins or (origin == "null" and site == "same-origin")

    async def _refused(self, ask: Ask, status: int) -> web.StreamResponse:
        """Recorded, as far as the database can be reached; nothing is shown either way."""
        route = ask.request.match_info.route
        path = path_of(route) if ask.request.match_info.http_exception is None else "no page"
        if ask.visitor is not None or ask.request.method == "POST":
            detail = f"{ask.request.method if ask.request.method in ('GET', 'POST') else 'other'} {path}: {status}"
            where = ask.config.id if ask.config is not None else access.NOWHERE
            try:
                if ask.visitor is None:
                    await ask.console.sessions.refused("", ask.address, detail, what="refused", practice=where)
                else:
                    await access.record(ask.store.pool, where, ask.who, "refused", address=ask.address, detail=detail)
            except AWAY:
                return _said(ask, 503)
        else:
            log.info("request_refused", path=path, status=status)
        return _said(ask, status)


def name_of(request: web.Request, name: str) -> str:
    """A cookie's whole name: where the address is https, one that nobody but this very host can set, no neighbour and no plain page of it."""
    config = request.app[CONSOLE].config.console
    return f"__Host-{name}" if config is not None and config.url.startswith("https:") else name


def cookie_of(request: web.Request, name: str) -> str:
    """A cookie of ours; "" for what cannot be one."""
    value = request.cookies.get(name_of(request, name), "")
    return value if value.isascii() else ""


def _said(ask: Ask, status: int) -> web.Response:
    """A page of one sentence. The practice is not named: it may not be the visitor's."""
    ask.config = None
    said = SAID.get(status, SAID[400])
    return ask.page("said.html", http=status, said=said)


def give_cookie(
    request: web.Request, response: web.StreamResponse, name: str, value: str, *, days: int | None = None
) -> None:
    """A cookie that no script reads and no other site's page sends; browsers take loopback for secure."""
    age = None if days is None else days * 86_400
    name = name_of(request, name)
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="Strict", max_age=age)


def take_cookie(request: web.Request, response: web.StreamResponse, name: str) -> None:
    response.del_cookie(name_of(request, name), path="/", secure=True, httponly=True, samesite="Strict")
