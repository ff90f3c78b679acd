"""What somebody tries who means harm: every route times every role, other practices, other sites' forms, planted ids and scripts, guessing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from daemon.console.app import make_app
from daemon.console.pages.deeds import DEEDS
from daemon.console.rules import path_of
from daemon.console.sessions import make_link
from daemon.tables import access, accounts
from events.codec import Keyring
from tests.conftest import OTHER, PRACTICE
from tests.integration.scripted import BILL, SCRIPT
from tests.integration.visiting import (
    ADA,
    KEPT,
    ROLES,
    SCRIPTED,
    Browser,
    Site,
    filled,
    log_of,
    waits,
)
from tests.unit.records import ADA_THERE

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYBODY = frozenset({*ROLES, "nobody"})
SIGNED_IN = frozenset(ROLES)
PATIENTS = frozenset({"front-desk", "biller", "operator", "auditor"})
AUDIT = frozenset({"auditor", "admin"})
DESK, BILLING, OPERATOR = frozenset({"front-desk", "operator"}), frozenset({"biller", "operator"}), frozenset({"operator"})

STATED = {
    "GET /static/{name}": EVERYBODY,
    "GET /alive": EVERYBODY,
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "GET /enter/{link}": EVERYBODY,
    "POST /enter/{link}": EVERYBODY,
    "GET /sign-in/away": EVERYBODY,
    "GET /sign-in/back": EVERYBODY,
    "GET /second-factor": SIGNED_IN,
    "POST /second-factor/begin": SIGNED_IN,
    "POST /second-factor/confirm": SIGNED_IN,
    "POST /second-factor/give-up": SIGNED_IN,
    "POST /sign-out": SIGNED_IN,
    "GET /": SIGNED_IN,
    "GET /p/{practice}": SIGNED_IN,
    "GET /p/{practice}/rules": SIGNED_IN,
    "GET /p/{practice}/settings": SIGNED_IN,
    "GET /p/{practice}/help": SIGNED_IN,
    "GET /p/{practice}/work": SIGNED_IN,
    "GET /p/{practice}/news": SIGNED_IN,
    "POST /p/{practice}/work/many": PATIENTS,
    "POST /p/{practice}/work/many/do": PATIENTS,
    "POST /p/{practice}/deed": PATIENTS,
    "GET /p/{practice}/done/{event}": PATIENTS,
    "GET /p/{practice}/patient/{patient}": PATIENTS,
    "GET /p/{practice}/patient/{patient}/why/{field}": PATIENTS,
    "GET /p/{practice}/find": PATIENTS,
    "POST /p/{practice}/find": PATIENTS,
    "GET /p/{practice}/links": PATIENTS,
    "GET /p/{practice}/duplicates": PATIENTS,
    "GET /p/{practice}/bills": PATIENTS,
    "GET /p/{practice}/bills/{standing}": PATIENTS,
    "GET /p/{practice}/balance": PATIENTS,
    "GET /p/{practice}/day": PATIENTS,
    "GET /p/{practice}/appointments": PATIENTS,
    "GET /p/{practice}/holds": PATIENTS,
    "GET /p/{practice}/patient/{patient}/hold": PATIENTS,
    "POST /p/{practice}/release": PATIENTS,
    "GET /p/{practice}/onboarding": PATIENTS,
    "GET /p/{practice}/onboarding/writes": PATIENTS,
    "GET /p/{practice}/patient/{patient}/move": PATIENTS,
    "POST /p/{practice}/patient/{patient}/move": PATIENTS,
    "GET /p/{practice}/patient/{patient}/link": PATIENTS,
    "POST /p/{practice}/patient/{patient}/link": PATIENTS,
    "GET /p/{practice}/maps": PATIENTS,
    "POST /p/{practice}/maps/effect": OPERATOR,
    "GET /p/{practice}/audit": AUDIT,
    "GET /p/{practice}/audit/search": AUDIT,
    "POST /p/{practice}/audit/search": AUDIT,
    "POST /p/{practice}/audit/mark": AUDIT,
}
"""Who is let in, said a second time and by hand: the router is held to it."""

STATED_DEEDS = {
    "resync": DESK | BILLING,
    "create": DESK,
    "retry": DESK | BILLING,
    "retry-shared": DESK | BILLING,
    "try-systems": OPERATOR,
    "resend": BILLING,
    "release-bill": BILLING,
    "dismiss": DESK | BILLING,
    "remove-policy": DESK | BILLING,
    "seen": DESK,
    "redrive": OPERATOR,
    "link": DESK,
    "move-link": DESK,
    "not-the-same": DESK,
    "unlink": DESK,
    "apart": DESK,
    "hold": OPERATOR,  # of a patient: DESK
    "release": DESK,
    "keep-out": DESK,
    "take-in": DESK,
    "go-live": OPERATOR,
    "observe": OPERATOR,
    "map": OPERATOR,
    "give-back": OPERATOR,
}


def routed(at: Site) -> list[web.AbstractRoute]:
    """What the router has, in its own order; signing out comes last, as it ends what the others need."""
    config = at.console.config.console
    assert config is not None
    found = list(make_app(at.console, config).router.routes())
    return sorted(found, key=lambda one: path_of(one) == "/sign-out")


def stated(one: web.AbstractRoute) -> frozenset[str]:
    return STATED[f"{'GET' if one.method == 'HEAD' else one.method} {path_of(one)}"]


async def asked(browser: Browser, at: Site, one: web.AbstractRoute, practice: str = "elm") -> int:
    """The status of a route's answer, to a form of the browser's own."""
    path = filled(at, path_of(one), practice)
    answer = await (browser.post(path, {}) if one.method == "POST" else browser.call(one.method, path))
    return answer.status if answer.goes_to != "/sign-in" or path_of(one) == "/sign-out" else 401


# -- every route, every role ----------------------------------------------------------------------------------------------


async def test_every_route_of_the_router_is_stated_by_hand_too(visited: Site) -> None:
    assert {f"{one.method} {path_of(one)}" for one in routed(visited) if one.method != "HEAD"} == set(STATED)
    assert {one.method for one in routed(visited)} == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
async def test_every_route_lets_in_whom_it_says_and_refuses_everybody_else(visited: Site, role: str) -> None:
    browser = visited.browser() if role == "nobody" else await visited.of(role)
    await browser.get("/sign-in" if role == "nobody" else "/p/elm/help")
    refused = 401 if role == "nobody" else 403
    wanted: set[str] = set()
    for one in routed(visited):
        status, name = await asked(browser, visited, one), f"{one.method} {path_of(one)}"
        if role in stated(one):
            assert status not in ({400, 403} if stated(one) is EVERYBODY else {401, 403}), name
        else:
            assert status == refused, name
            if refused == 403 or one.method == "POST":
                wanted.add(f"{'other' if one.method == 'HEAD' else one.method} {path_of(one)}: {refused}")
    who = "" if role == "nobody" else role
    log = [*await log_of(visited), *await access.last(visited.console.store.pool, access.NOWHERE, most=200)]
    assert wanted <= {each.detail for each in log if each.what == "refused" and each.who == who}


async def test_every_deed_is_stated_by_hand_too() -> None:
    assert set(DEEDS) == set(STATED_DEEDS)


@pytest.mark.parametrize("role", ROLES)
async def test_every_deed_is_refused_to_every_role_that_may_not(visited: Site, role: str) -> None:
    browser = await visited.of(role)
    pool = visited.console.store.pool
    for deed, roles in STATED_DEEDS.items():
        answer = await browser.post("/p/elm/deed", {"deed": deed, "role": "operator", "who": "operator", "practice": "oak"})
        assert (answer.status == 403) is (role not in roles), deed
        if role not in roles:
            (last,) = await access.last(pool, "elm", most=1)
            assert (last.who, last.what, last.detail) == (role, "refused", "POST /p/{practice}/deed: 403")


@pytest.mark.parametrize("role", sorted(PATIENTS))
async def test_of_a_patient_the_front_desk_holds_too_but_not_a_practice_s(visited: Site, role: str) -> None:
    browser, handle = await visited.of(role), visited.console.handles.of(PRACTICE, ADA)
    for deed in ("hold", "keep-out", "take-in"):
        answer = await browser.post("/p/elm/deed", {"deed": deed, "patient": handle})
        assert (answer.status == 403) is (role not in DESK), deed
    for slot, roles in ((f"hold:all:both:{ADA}", DESK), ("hold:all:both", OPERATOR)):
        answer = await browser.post("/p/elm/deed", {"deed": "release", "slot": slot})
        assert (answer.status == 403) is (role not in roles), slot


AUDIENCES = {"incomplete": "front-desk", "bill-error": "biller", "quarantined": "operator"}


@pytest.mark.parametrize("role", ["front-desk", "biller", "operator"])
async def test_an_item_is_resolved_by_those_whom_it_is_for(visited: Site, visited_owner: str, role: str) -> None:
    rows = [("elm", ADA, f"test:{code}", code) for code in AUDIENCES]
    async with waits(visited_owner, rows):
        browser = await visited.of(role)
        handle = visited.console.handles.of(PRACTICE, ADA)
        for code, audience in AUDIENCES.items():
            fields = {"deed": "dismiss", "patient": handle, "slot": f"test:{code}", "once": "x" * 22, "reason": "so"}
            answer = await browser.post("/p/elm/deed", fields)
            assert (answer.status == 403) is (role not in (audience, "operator")), code


# -- another practice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
async def test_no_route_of_another_practice_says_that_it_is_there(visited: Site, role: str) -> None:
    browser = await visited.of(role)
    for one in routed(visited):
        if "{practice}" in path_of(one):
            assert await asked(browser, visited, one, "oak") == 404, path_of(one)
            assert await asked(browser, visited, one, "nowhere") == 404, path_of(one)
    refused = {each.detail for each in await log_of(visited, "oak") if each.who == role and each.what == "refused"}
    ours = {f"{one.method} {path_of(one)}: 404" for one in routed(visited) if "{practice}" in path_of(one)}
    assert {one for one in ours if not one.startswith("HEAD")} <= refused


async def test_what_names_somebody_of_one_practice_names_nobody_in_another(visited: Site) -> None:
    pool = visited.console.store.pool
    await accounts.add(pool, "both", KEPT)
    for practice in ("elm", "oak"):
        await accounts.set_role(pool, "both", practice, "operator", held=True)
    browser = await visited.of("both")
    handle = visited.console.handles.of(PRACTICE, ADA)
    assert (await browser.get(f"/p/elm/patient/{handle}")).status == 200
    for path in (f"/p/oak/patient/{handle}", f"/p/oak/patient/{handle}/why/last_name"):
        assert (await browser.get(path)).status == 404
    assert (await browser.post("/p/oak/deed", {"deed": "resync", "patient": handle, "once": "x" * 22})).status == 404
    assert (await browser.get(f"/p/elm/audit?patient={visited.console.handles.of(OTHER, ADA)}")).status == 403
    first, *_ = [one.event.id async for one in visited.console.store.read(PRACTICE)]
    assert ADA_THERE.last_name not in (await browser.get(f"/p/oak/done/{first}")).text


async def test_a_role_is_given_by_no_page_of_the_console(visited: Site) -> None:
    """Whatever a request claims in fields, headers or cookies, the roles are those of the database."""
    browser = await visited.of("viewer")
    before = await accounts.account(visited.console.store.pool, "viewer")
    claims = {
        "X-Forwarded-User": "operator",
        "X-Remote-User": "operator",
        "X-HTTP-Method-Override": "GET",
        "X-Role": "admin",
    }
    for one in routed(visited):
        if one.method == "POST" and path_of(one) != "/sign-out":
            path = filled(visited, path_of(one))
            await browser.post(path, {"role": "operator", "roles": "operator", "name": "operator"}, **claims)
    assert await accounts.account(visited.console.store.pool, "viewer") == before
    assert (await browser.get("/p/elm/find", **claims)).status == 403
    browser.cookies |= {"role": "operator", "user": "operator"}
    assert (await browser.get("/p/elm/find")).status == 403


# -- forms and sessions ---------------------------------------------------------------------------------------------------


async def test_every_form_is_refused_without_the_token_of_its_own_session(visited: Site) -> None:
    browser, stranger = await visited.of("operator"), await visited.of("operator")
    fresh = visited.browser()
    await fresh.get("/sign-in")
    posts = [path_of(one) for one in routed(visited) if one.method == "POST"]
    assert len(posts) > 5
    for path in posts:
        for token in ("", "0" * 64, stranger.token, fresh.token, browser.token.upper(), browser.token[:-1]):
            answer = await browser.post(filled(visited, path), {"deed": "redrive", "once": "x" * 22}, token=token)
            assert answer.status == 400, (path, token)
        where = "elm" if "{practice}" in path else access.NOWHERE
        (last,) = await access.last(visited.console.store.pool, where, most=1)
        assert (last.who, last.what, last.detail) == ("operator", "refused", f"POST {path}: 400")
    assert (await browser.get("/p/elm/find")).status == 200


async def test_a_link_too_begins_a_session_of_its_own(visited: Site) -> None:
    pool = visited.console.store.pool
    browser = await visited.of("viewer")
    old = browser.cookies["chartwire_session"]
    path = f"/enter/{await make_link(pool, 'viewer', 'test')}"
    await browser.get(path)
    assert (await browser.post(path, {})).goes_to == "/"
    assert browser.cookies["chartwire_session"] not in ("", old)
    assert (await Browser(visited.url, {"chartwire_session": old}).get("/p/elm")).goes_to == "/sign-in"
    planted = visited.browser()
    planted.cookies["chartwire_form"] = secrets.token_urlsafe(32)
    token = (await planted.get("/sign-in")) and planted.token
    await planted.sign_in("viewer")
    await planted.get("/p/elm/help")
    assert planted.token != token
    assert "chartwire_form" not in planted.cookies


# -- what is typed --------------------------------------------------------------------------------------------------------


async def test_no_page_obeys_what_stands_in_a_patient_s_record(visited: Site, visited_owner: str) -> None:
    """Every text of both charts, the policies, the appointment, the bill and a record set aside is a script."""
    shown: set[str] = set()
    for role in ("operator", "auditor"):
        browser = await visited.of(role)
        async with waits(visited_owner, [("elm", SCRIPTED, f"bill:{BILL.id}", "bill-error")]):
            for one in routed(visited):
                if one.method == "GET" and role in stated(one):
                    answer = await browser.get(filled(visited, path_of(one), patient=SCRIPTED))
                    assert harmless(answer.text), answer.path
                    shown |= {path_of(one)} if "&lt;script&gt;alert(1)" in answer.text else set()
        found = await browser.post("/p/elm/find", {"id": "902"})
        assert harmless(found.text)
        assert "&lt;script&gt;alert(1)" in found.text
    assert {
        "/p/{practice}/patient/{patient}",
        "/p/{practice}/patient/{patient}/why/{field}",
        "/p/{practice}/work",
        "/p/{practice}/bills",
    } <= shown


async def test_no_page_obeys_what_is_typed_or_stands_in_an_address(visited: Site) -> None:
    browser = await visited.of("operator")
    for name in ("first", "last", "born", "phone", "id"):
        assert harmless((await browser.post("/p/elm/find", {name: SCRIPT})).text)
    quoted = "%3Cscript%3Ealert(1)%3C/script%3E%22%27"
    for one in routed(visited):
        if one.method == "GET":
            path = re.sub(r"\{(?!practice)\w+\}", quoted, path_of(one)).replace("{practice}", "elm")
            for query in ("", f"?as-of={quoted}&code={quoted}&for={quoted}&page={quoted}&asked={quoted}&look={quoted}"):
                assert harmless((await browser.get(path + query)).text), path
    who = await visited.browser().post("/sign-in", {"name": SCRIPT, "password": SCRIPT})
    assert harmless(who.text)


def harmless(text: str) -> bool:
    return "<script>" not in text and "<img src=x" not in text


def templates() -> Iterator[Path]:
    yield from (Path(__file__).parents[2] / "daemon" / "console" / "templates").iterdir()


async def test_nothing_is_shown_as_it_is(visited: Site) -> None:
    """What is said of escaping above holds for every template: none turns it off."""
    for file in templates():
        assert not re.search(r"\|\s*safe|autoescape|Markup", file.read_text()), file.name
    pages = (Path(__file__).parents[2] / "daemon" / "console").rglob("*.py")
    assert not [file.name for file in pages if "Markup" in file.read_text()]


# -- bodies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "admin"])
async def test_no_route_opens_a_body_for_who_sees_no_names(
    visited: Site, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    real = Keyring.open_sealed

    def counting(keyring: Keyring, *arguments: Any) -> bytes:
        opened.append(arguments[0])
        return real(keyring, *arguments)

    monkeypatch.setattr(Keyring, "open_sealed", counting)
    browser = await visited.of(role)
    for one in routed(visited):
        await asked(browser, visited, one)
    assert opened == []
    await asked(await visited.of("operator"), visited, next(one for one in routed(visited) if "{patient}" in path_of(one)))
    assert opened != []
