"""Every route of the console and every command is compared (test_console_agrees.py), or a reason says why it is not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from daemon.cli.commands import COMMANDS
from daemon.console.app import ROUTES
from daemon.operator.worklist import Work, reason
from events.ids import PRACTICE as OF_PRACTICE
from projections.state.directory import Directory
from projections.words.headings import heading_of
from tests.integration import test_console_agrees
from tests.integration.recorder_driver import NOON, POLICY
from tests.integration.test_console_agrees import NOT_POSSIBLE, READINGS, SAME, Calls

ROOT = Path(__file__).parents[2]
BY_READING = {
    "GET /p/{practice}": "state",
    "GET /p/{practice}/patient/{patient}": "history",
    "GET /p/{practice}/patient/{patient}/why/{field}": "why",
    "GET /p/{practice}/duplicates": "duplicates",
    "GET /p/{practice}/balance": "accounts",
    "GET /p/{practice}/onboarding": "onboarding",
    "GET /p/{practice}/work": "what waits",
    "GET /p/{practice}/maps": "maps",
    "GET /p/{practice}/settings": "settings",
    "POST /p/{practice}/maps/effect": "effect of a row",
    "POST /p/{practice}/patient/{patient}/link": "what linking writes",
    "POST /p/{practice}/patient/{patient}/move": "what moving a link writes",
}
"""Routes whose reading is compared with a command's above."""

BY_ITSELF = {
    "POST /p/{practice}/deed": "test_a_form_and_a_command_ask_for_the_same_by_the_same_function",
    "POST /p/{practice}/audit/search": "test_a_search_of_the_history_is_by_the_same_functions",
    "GET /p/{practice}/links": "test_what_a_link_would_write_is_planned_in_one_place",
}
"""Routes that a test of their own compares, and which one."""

PAGES_ALONE = {
    **dict.fromkeys(("GET /static/{name}", "GET /alive", "GET /p/{practice}/news"), "nothing of a practice is read"),
    **dict.fromkeys(
        (
            "GET /sign-in", "POST /sign-in", "GET /enter/{link}", "POST /enter/{link}", "POST /sign-out", "GET /sign-in/away",
            "GET /sign-in/back", "GET /second-factor", "POST /second-factor/begin", "POST /second-factor/confirm",
            "POST /second-factor/give-up",
        ),
        "whoever types commands is signed in to the machine",
    ),
    **dict.fromkeys(("GET /", "GET /p/{practice}/help"), "leads to other pages"),
    **dict.fromkeys(
        ("GET /p/{practice}/day", "GET /p/{practice}/appointments", "GET /p/{practice}/find", "POST /p/{practice}/find"),
        "for the front desk: no command lists who comes, or finds people by name",
    ),
    **dict.fromkeys(
        ("GET /p/{practice}/bills", "POST /p/{practice}/work/many", "POST /p/{practice}/work/many/do"),
        "the items of the work list, which is compared; what is asked for is a deed, which is compared",
    ),
    **dict.fromkeys(
        (
            "GET /p/{practice}/patient/{patient}/hold", "GET /p/{practice}/holds", "POST /p/{practice}/release",
            "GET /p/{practice}/done/{event}", "GET /p/{practice}/patient/{patient}/move", "GET /p/{practice}/patient/{patient}/link",
            "GET /p/{practice}/audit/search",
        ),
        "a form, or what came of one",
    ),
    "GET /p/{practice}/bills/{standing}": "the notes of the balance sheet, which is compared",
    "GET /p/{practice}/rules": "the tables of the rules themselves (projections/rules/tables.py), as `chartwire rules`",
    "GET /p/{practice}/audit": "the access log, which only the console's role reads",
    "POST /p/{practice}/audit/mark": "one link of the chain; `chartwire audit verify` checks all of them",
    "GET /p/{practice}/onboarding/writes": "the rehearsal of the onboarding, which is compared",
}  # fmt: skip
"""Routes that no command has the like of, or that read nothing of their own."""

COMMANDS_ALONE = {
    **dict.fromkeys(
        ("demo", "run", "sandbox", "migrate", "check-config", "doctor", "new-key", "rotate-key", "shred", "recover", "console", "listen"),
        "of the machine and its servers, which no page administers",
    ),
    **dict.fromkeys(("replay", "audit", "export", "verify", "match", "what-if"), "read everything there is, for minutes or hours"),
    "rules": "the tables of the rules themselves (projections/rules/tables.py), as the page has them",
    "user": "who may sign in is decided at the machine",
}  # fmt: skip
"""Commands that no page has the like of."""


def test_every_route_is_compared_or_somebody_says_why_not() -> None:
    """A new route fails here until it is compared, or has a reason."""
    tables = (BY_READING.keys(), BY_ITSELF.keys(), PAGES_ALONE.keys())
    assert sum(map(len, tables)) == len(set().union(*tables)), "a route stands in two tables"
    assert {f"{one.method} {one.path}" for one in ROUTES} == set().union(*tables)
    assert set(BY_READING.values()) == set(READINGS)
    assert all(callable(vars(test_console_agrees).get(one) or globals().get(one)) for one in BY_ITSELF.values())


def test_every_command_is_compared_or_somebody_says_why_not() -> None:
    """A new command fails here until it is compared, or has a reason."""
    asked = {one.command[0] for one in (*SAME.values(), *NOT_POSSIBLE.values())}
    read = {one.command[0] for one in READINGS.values()} | {"search-history"}
    assert asked | read | COMMANDS_ALONE.keys() == {name for names in COMMANDS.values() for name in names}
    assert COMMANDS_ALONE.keys().isdisjoint(asked | read)


@pytest.mark.parametrize("reading", READINGS)
def test_a_page_of_a_reading_is_the_route_it_stands_for(reading: str) -> None:
    (route,) = [path for path, name in BY_READING.items() if name == reading]
    one = READINGS[reading]
    method, _, path = route.partition(" ")
    assert (method == "POST") == bool(one.form)
    ends = {"": "{practice}", "patient": "{patient}", "why": "{field}"}.get(one.page, one.page)
    assert path.endswith(f"/{ends}")


def planners(text: str) -> set[str]:
    """What a file calls that plans a link, or would be a plan of its own."""
    called = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {one.id for one in called if isinstance(one, ast.Name)} & {"plan_of_link", "LinkPlan"}


def test_what_a_link_would_write_is_planned_in_one_place() -> None:
    """The page of the pairs and `chartwire link` both ask it, and neither makes a plan."""
    found = {
        f"{room}/{file.relative_to(ROOT / 'daemon' / room)}": made
        for room in ("cli", "console")
        for file in (ROOT / "daemon" / room).rglob("*.py")
        if (made := planners(file.read_text()))
    }
    assert found == {one: {"plan_of_link"} for one in ("cli/link.py", "console/pages/undecided.py")}
    assert planners("x = LinkPlan(); plan_of_link(y)") == {"plan_of_link", "LinkPlan"}


def test_what_is_not_called_is_not_found() -> None:
    """The watch of calls, without which nothing above would show anything."""
    with Calls("operator/worklist") as found:
        heading_of("refused", POLICY.names)
    assert found == set()
    with Calls("operator/worklist") as found:
        assert reason(Work(OF_PRACTICE, "system:kareo", "refused", NOON), {}, Directory(), POLICY.names) == ""
    assert "reason" in found
