"""What goes wrong with a practice is logged with its name: of a thousand, the one that it is has to be found at night."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = sorted(
    str(file.relative_to(ROOT)) for folder in ("daemon/runtime", "daemon/vendors") for file in (ROOT / folder).rglob("*.py")
)

OF_NOBODY = {
    "report_not_kept": "of all practices of the worker",
    "side_task_failed": "of the worker",
    "metrics_not_opened": "of the worker",
    "practice_unknown": "of none that is configured",
    "webhook_postponed": "its address may be anybody's invention",
    "request_unusable": "nobody knows whose it is",
    "connection_made_way": "of the worker",
    "clock_apart": "of the machine",
    "wsdl_not_kept": "of the machine: practices share a WSDL",
}
"""Warnings and errors that are no single practice's, with the reason."""


def troubles(source: str) -> Iterator[tuple[str, bool]]:
    """The events that are logged as warnings and errors, and whether each has the practice's name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr="warning" | "error"),
                args=[ast.Constant(value=str() as event), *_],
                keywords=keywords,
            ):
                yield event, any(one.arg == "practice" for one in keywords)


def test_trouble_of_a_practice_has_its_name() -> None:
    found = ((name, event, named) for name in FILES for event, named in troubles((ROOT / name).read_text()))
    assert [(name, event) for name, event, named in found if not named and event not in OF_NOBODY] == []


def test_the_test_can_fail() -> None:
    assert list(troubles('log.error("write_failed", system=1)\nlog.warning("a", practice=2)\nlog.info("b")')) == [
        ("write_failed", False),
        ("a", True),
    ]


def test_the_table_names_only_what_is_logged() -> None:
    logged = {event for name in FILES for event, named in troubles((ROOT / name).read_text()) if not named}
    assert OF_NOBODY.keys() == logged
