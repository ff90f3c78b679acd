"""What every request to the console passes: rules by route, sessions, forms of its own, practices apart, headers, and the access log."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from aiohttp import web

from daemon.console.app import ROUTES, make_app
from daemon.console.asked import Ask
from daemon.console.guard import BODY_BYTES, HEADERS
from daemon.console.roles import May
from daemon.console.rules import Access, Undeclared, check, declared, get, path_of
from daemon.tables import access, accounts
from tests.integration.visiting import PASSWORD, ROLES, Browser, Site, log_of, paths
from tests.integration.visiting import beside as another

pytestmark = pytest.mark.asyncio(loop_scope="module")


NOT_FOR_PRACTICE = ("/static/", "/alive", "/sign-in", "/enter/", "/sign-out", "/second-factor")


# -- routes and rules -----------------------------------------------------------------------------------------------------


async def test_every_route_of_the_router_has_a_rule(visited: Site) -> None:
    config = visited.console.config.console
    assert config is not None
    app = make_app(visited.console, config)
    known = declared(ROUTES)
    assert {(one.method, path_of(one)) for one in app.router.routes()} == set(known)
    check(app.router, known)


async def nothing(_request: web.Request) -> web.StreamResponse:
    return web.Response()


async def nothing_asked(_ask: Ask) -> web.StreamResponse:
    return web.Response()


async def test_a_route_without_a_rule_keeps_the_console_from_starting(visited: Site) -> None:
    config = visited.console.config.console
    assert config is not None
    app = make_app(visited.console, config)
    app.router.add_get("/p/{practice}/secret", nothing)
    with pytest.raises(Undeclared, match="secret has no rule"):
        check(app.router, declared(ROUTES))
    for path, rule in (("/p/{practice}/open", Access(public=True)), ("/all", Access(May.SEE))):
        with pytest.raises(Undeclared, match="granted by practice"):
            make_app(visited.console, config, (*ROUTES, get(path, nothing_asked, rule)))


async def test_only_signing_in_and_what_shows_nothing_is_public() -> None:
    public = {(one.method, one.path) for one in ROUTES if one.access.public}
    assert public == {
        ("GET", "/static/{name}"),
        ("GET", "/alive"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/enter/{link}"),
        ("POST", "/enter/{link}"),
        ("GET", "/sign-in/away"),
        ("GET", "/sign-in/back"),
    }


async def test_who_is_not_signed_in_sees_nothing(visited: Site) -> None:
    browser = visited.browser()
    for path in paths(visited, "GET"):
        answer = await browser.get(path)
        if not path.startswith(NOT_FOR_PRACTICE):
            assert (answer.status, answer.goes_to) == (303, "/sign-in"), path
    for path in paths(visited, "POST"):
        if not path.startswith(NOT_FOR_PRACTICE):
            assert (await browser.post(path, {})).status == 401, path


@pytest.mark.parametrize("role", ["viewer", "front-desk", "biller", "auditor"])
async def test_a_deed_is_refused_to_who_may_not_do_it_and_that_is_recorded(visited: Site, role: str) -> None:
    browser = await visited.of(role)
    answer = await browser.post("/p/elm/deed", {"deed": "redrive", "once": "x" * 22})
    assert answer.status == 403
    (last,) = await access.last(visited.console.store.pool, "elm", most=1)
    assert (last.who, last.what, last.detail) == (role, "refused", "POST /p/{practice}/deed: 403")


@pytest.mark.parametrize("role", ROLES)
async def test_another_practice_s_pages_look_as_if_they_were_not_there(visited: Site, role: str) -> None:
    browser = await visited.of(role)
    for path in (one.replace("/p/elm", "/p/oak") for one in paths(visited, "GET") if one.startswith("/p/")):
        answer = await browser.get(path)
        assert answer.status == 404, path
        assert "Oak" not in answer.text
    nowhere = await browser.get("/p/nowhere")
    assert (nowhere.status, nowhere.text) == (404, (await browser.get("/p/oak")).text)
    assert (await browser.post("/p/oak/deed", {"deed": "resync"})).status == 404
    assert any(one.who == role and one.what == "refused" for one in await log_of(visited, "oak"))


# -- sessions and forms ---------------------------------------------------------------------------------------------------


async def test_the_answer_to_a_wrong_sign_in_is_constant(visited: Site) -> None:
    answers = [
        await visited.browser().sign_in(name, password) for name, password in (("viewer", "wrong"), ("nobody", PASSWORD))
    ]
    texts = {re.sub(r'value="[0-9a-f]{64}"', "", one.text) for one in answers}
    assert len(texts) == 1
    assert {one.status for one in answers} == {401}
    await visited.browser().sign_in("viewer")


async def test_cookies_are_kept_from_scripts_and_other_sites(visited: Site) -> None:
    browser = visited.browser()
    answer = await browser.sign_in("viewer")
    for cookie in answer.headers.getall("Set-Cookie"):  # type: ignore[attr-defined]
        assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_an_id_from_before_signing_in_is_worth_nothing_after(visited: Site) -> None:
    """Session fixation: what somebody planted is neither taken nor kept."""
    browser = visited.browser()
    browser.cookies["chartwire_session"] = planted = "p" * 43
    await browser.sign_in("viewer")
    assert browser.cookies["chartwire_session"] != planted
    thief = Browser(visited.url, {"chartwire_session": planted})
    assert (await thief.get("/p/elm")).goes_to == "/sign-in"
    first = browser.cookies["chartwire_session"]
    again = Browser(visited.url)
    await again.sign_in("viewer")
    assert again.cookies["chartwire_session"] != first


@pytest.mark.parametrize("change", ["sign out", "disabled", "role", "password"])
async def test_a_session_ends_at_once_in_every_process(visited: Site, visited_file: Path, change: str) -> None:
    pool = visited.console.store.pool
    name = f"leaver-{change.replace(' ', '-')}"
    await accounts.add(pool, name, (await accounts.account(pool, "viewer")).password)  # type: ignore[union-attr]
    await accounts.set_role(pool, name, "elm", "viewer", held=True)
    browser = await visited.of(name)
    async with another(visited_file) as second:
        beside = Browser(second.url, dict(browser.cookies))
        assert (await beside.get("/p/elm")).status == 200
        if change == "sign out":
            await browser.post("/sign-out", {})
        elif change == "disabled":
            await accounts.set_disabled(pool, name, disabled=True)
        elif change == "role":
            await accounts.set_role(pool, name, "oak", "viewer", held=True)
        else:
            await accounts.set_password(pool, name, "x")
        for one in (browser, beside):
            assert (await Browser(one.url, dict(beside.cookies)).get("/p/elm")).goes_to == "/sign-in"


async def test_a_form_of_another_page_is_not_taken(visited: Site) -> None:
    browser, stranger = await visited.of("operator"), await visited.of("front-desk")
    deed = {"deed": "resync", "once": "x" * 22}
    for token in ("", "0" * 64, stranger.token):
        assert (await browser.post("/p/elm/deed", deed, token=token)).status == 400
    assert (await browser.post("/p/elm/deed", deed, Origin="https://evil.example")).status == 400
    assert (await browser.post("/p/elm/deed", deed, **{"Sec-Fetch-Site": "cross-site"})).status == 400
    assert (await browser.post("/p/elm/deed", deed, Origin="null")).status == 400
    assert (await browser.post("/p/elm/deed", deed, Origin="null", **{"Sec-Fetch-Site": "cross-site"})).status == 400
    find = await browser.post("/p/elm/find", {"id": "1"}, Origin="null", **{"Sec-Fetch-Site": "same-origin"})
    assert find.status == 200
    assert (await browser.call("POST", "/p/elm/deed", b'{"deed": 1}', **{"Content-Type": "application/json"})).status == 400
    assert (await browser.call("POST", "/sign-out", {"token": ""})).status == 400
    assert (await browser.get("/p/elm")).status == 200
    fresh = visited.browser()
    assert (await fresh.post("/sign-in", {"name": "viewer", "password": PASSWORD}, token="0" * 64)).status == 400


async def test_what_is_too_large_is_refused(visited: Site) -> None:
    browser = await visited.of("operator")
    assert (await browser.post("/p/elm/deed", {"deed": "resync", "reason": "x" * (BODY_BYTES + 1)})).status == 413
    many = {f"field{n}": "x" for n in range(2000)}
    assert (await browser.post("/p/elm/deed", many)).status in (400, 413)


@pytest.mark.parametrize(
    "path", ["/", "/p/elm", "/p/nowhere", "/nothing", "/static/console.css", "/static/none", "/sign-in"]
)
async def test_every_answer_has_the_headers(visited: Site, path: str) -> None:
    for browser in (visited.browser(), await visited.of("viewer")):
        answer = await browser.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def test_no_page_has_script_or_style_within(visited: Site) -> None:
    browser = await visited.of("operator")
    for path in paths(visited, "GET"):
        text = (await browser.get(path)).text.replace(
            "&lt;img src=x onerror=alert(2)&gt;", ""
        )  # what a record says, as text
        if path.endswith("/settings"):  # addresses are settings: they are shown, and lead nowhere
            text = re.sub(r">[^<>]*<", "><", text)
        assert not re.search(
            r"<script(?! src=\"/static/console.js\" defer></script>)|<style|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)",
            text,
        ), path


async def test_a_name_that_was_made_to_lead_here_is_refused(visited: Site) -> None:
    assert (await visited.browser().get("/sign-in", Host="evil.example")).status == 404


@pytest.mark.parametrize(
    "path",
    ["/p/elm/../oak", "/p/elm%2f..%2foak", "/static/../app.py", "/static/..%2fapp.py", "/p/elm/patient/..", "/p/elm/patient/K:1",
     "/p/elm%0d%0aSet-Cookie:x=1", "/p/elm/why", "//evil.example/p/elm"],
)  # fmt: skip
async def test_a_path_that_leads_elsewhere_leads_nowhere(visited: Site, path: str) -> None:
    browser = await visited.of("operator")
    async with asyncio.timeout(10):
        answer = await browser.get(path)
    assert answer.status in (404, 400), path
    assert "Set-Cookie" not in answer.headers or "x=1" not in answer.headers["Set-Cookie"]
