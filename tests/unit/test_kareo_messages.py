"""Kareo's requests: what is written from the WSDL's types is what zeep writes, byte by byte, and what zeep refuses is refused."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from lxml import etree
from zeep import Client
from zeep.exceptions import Error as ZeepError

from daemon.vendors.kareo.messages import Messages, NotInWsdl
from tests.conftest import SHARED

OURS = "the sandbox's"
PUBLISHED = SHARED / "apis" / "kareo" / "KareoServices.wsdl"
TEXTS = ("", "Ada", "O'Brien & Sons <x>", " two  words ", "Zoë 日本", "line\nline", '"quoted"')
VALUES: dict[str, Callable[[random.Random], object]] = {
    "boolean": lambda pick: pick.random() < 0.5,
    "int": lambda pick: pick.randrange(-5, 10**6),
    "long": lambda pick: pick.randrange(10**12),
    "double": lambda pick: pick.choice((0.0, 1.5, 99.99, 120.0)),
    "dateTime": lambda pick: (
        datetime(2026, 3, 2, tzinfo=pick.choice((None, UTC))) + timedelta(seconds=pick.randrange(10**6))
    ),
}


@cache
def client(which: str) -> Any:
    if which != OURS and not PUBLISHED.exists():
        pytest.skip("the vendors' published documents are not beside the repository (../shared/apis)")
    wsdl = files("daemon.sandbox.kareo").joinpath("kareo.wsdl").read_bytes() if which == OURS else PUBLISHED.read_bytes()
    untyped: Any = Client
    return untyped(io.BytesIO(wsdl))


def binding_of(which: str) -> Any:
    return next(iter(client(which).wsdl.bindings.values()))


def drawn(type_: Any, pick: random.Random, depth: int = 0) -> object:
    """Some value of a type: of a record any members, in any order; now and then one is None."""
    if not hasattr(type_, "elements"):
        return VALUES.get(type_.name, lambda pick: pick.choice(TEXTS))(pick)
    members = [one for one in type_.elements if pick.random() < (0.9 if len(type_.elements) < 8 else 0.2) and depth < 6]
    pick.shuffle(members)
    found: dict[str, object] = {}
    for name, element in members:
        if element.accepts_multiple:
            found[name] = [drawn(element.type, pick, depth + 1) for _ in range(pick.randrange(3))]
        else:
            found[name] = None if pick.random() < 0.05 else drawn(element.type, pick, depth + 1)
    return found


def by_zeep(which: str, operation: str, name: str, request: Any) -> tuple[bytes, dict[str, str]]:
    envelope, headers = binding_of(which)._create(
        operation, (), {name: request}, client=client(which), options={"address": ""}
    )
    return once(etree.tostring(envelope, xml_declaration=True, encoding="utf-8")), dict(headers)


def once(message: bytes) -> bytes:
    """Without the message's own number, where WS-Addressing gives it one."""
    return re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"urn:uuid:", message)


@pytest.mark.parametrize("which", [OURS, "the published one"])
def test_each_operation_s_requests_are_zeep_s(which: str) -> None:
    """40 requests of each operation; what zeep does not take is not taken either."""
    messages, pick, refused = Messages(binding_of(which)), random.Random(7), 0
    for operation in sorted(binding_of(which)._operations):
        ((name, element),) = binding_of(which).get(operation).input.body.type.elements
        for _ in range(40):
            request: Any = drawn(element.type, pick)
            try:
                wanted = by_zeep(which, operation, name, request)
            except (ZeepError, TypeError):
                refused += 1
                with pytest.raises((NotInWsdl, ZeepError, TypeError)):
                    messages.envelope(operation, name, request)
            else:
                written, headers = messages.envelope(operation, name, request)
                assert (once(written), headers) == wanted
    assert refused < 40 * len(binding_of(which)._operations) / 2


@pytest.mark.parametrize(
    "request_", [{"Fields": {}, "Filters": {}}, {"Filter": {"Nobody": "1"}}, {"Filter": "everybody"}, {"Filter": ["x"]}]
)
def test_what_the_wsdl_does_not_have_is_not_written(request_: dict[str, object]) -> None:
    """Nor a text in a record's place, of which zeep makes an empty one."""
    with pytest.raises(NotInWsdl):
        Messages(binding_of(OURS)).envelope("GetPatients", "request", request_)


def test_a_character_that_xml_has_not_is_lxml_s_to_refuse() -> None:
    with pytest.raises(ValueError, match="XML compatible"):
        Messages(binding_of(OURS)).envelope("GetPatients", "request", {"Filter": {"PracticeName": "a\x00b"}})
