"""Reading and writing the way a .NET DataContract server does, driven by the WSDL's member tables.

Requests become `Values` (member name to value): absent and nil members are not in it, arrays are lists, `xs:dateTime` an
aware or naive datetime just as it was written. Answers are written from such values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from lxml import etree

from daemon.sandbox.kareo.wsdl import API, XSD, Complex, Interface, Member, QName

Values = dict[str, Any]

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DISPATCH = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
NIL = f"{{{XSI}}}nil"
UNKNOWN_MEMBER = "SandboxAddition"
"""A member that no WSDL describes, as newer servers send."""


class FaultError(Exception):
    """Answered as HTTP 500 with a SOAP Fault. `code` is the dispatcher's, e.g. DeserializationFailed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


class RefusedError(Exception):
    """Answered with HTTP 200 and `IsError`; the text becomes ErrorMessage and may quote the patient, so it is never logged."""


# -- requests ---------------------------------------------------------------------------------------------------------

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)


def body_of(request: bytes) -> etree._Element:
    """The one element in the Body of a SOAP 1.1 envelope; document types and entities are refused."""
    if b"<!DOCTYPE" in request or b"<!ENTITY" in request:
        raise FaultError("DeserializationFailed", "DTD is prohibited in this XML document.")
    try:
        root = etree.fromstring(request, _PARSER)
    except etree.XMLSyntaxError:
        raise FaultError("DeserializationFailed", "The message could not be read.") from None
    if root.getroottree().docinfo.doctype:
        raise FaultError("DeserializationFailed", "DTD is prohibited in this XML document.")
    bodies = root.findall(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or len(bodies) != 1 or len(bodies[0]) < 1:
        raise FaultError("DeserializationFailed", "The message is not a SOAP 1.1 envelope with a body.")
    element: etree._Element = bodies[0][0]
    return element


def decode(interface: Interface, type_: QName, element: etree._Element) -> Values:
    """The members of one element. Raises `FaultError` for a missing required member or a value that does not parse.

    The reader walks the members forward only: what does not match from the current place on is skipped in silence, be it
    unknown, misplaced or in another namespace, and so is a member that comes too late.
    """
    complex_ = interface.complexes[type_]
    found: Values = {}
    place = 0
    for child in element.iterchildren(tag=etree.Element):
        at = complex_.place_of(child.tag, place)
        if at is None:
            continue
        _require(complex_.members[place:at])
        member = complex_.members[at]
        value = _decode_member(interface, member, child)
        if member.many:
            place = at
            if value is not None:
                found.setdefault(member.name, []).append(value)
        else:
            place = at + 1
            if value is not None:
                found[member.name] = value
    _require(complex_.members[place:])
    return found


def _require(passed: tuple[Member, ...]) -> None:
    for member in passed:
        if member.required:
            raise FaultError(
                "DeserializationFailed", f"Expecting element '{member.name}' from namespace '{member.namespace}'."
            )


def _decode_member(interface: Interface, member: Member, child: etree._Element) -> Any:
    if child.get(NIL) in ("true", "1"):
        if member.nillable:
            return None
        raise FaultError("DeserializationFailed", f"'{member.name}' cannot be nil.")
    inner = interface.complexes.get(member.type)
    if inner is None:
        text = child.text or ""
        if len(child):
            raise FaultError("DeserializationFailed", f"'{member.name}' holds elements where a value is expected.")
        return _parse(interface, member, text)
    values = decode(interface, member.type, child)
    return values.get(inner.item.name, []) if inner.item is not None else values


def _parse(interface: Interface, member: Member, text: str) -> Any:
    namespace, kind = member.type
    try:
        if namespace != XSD:
            if text not in interface.enums[member.type]:
                raise ValueError
            return text
        return _PARSERS[kind](text if kind == "string" else text.strip())
    except ValueError:
        raise FaultError("DeserializationFailed", f"The value of '{member.name}' cannot be parsed as '{kind}'.") from None


def _integer(bits: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", text) or not -(1 << (bits - 1)) <= int(text) < 1 << (bits - 1):
            raise ValueError
        return int(text)

    return parse


def _boolean(text: str) -> bool:
    if text not in ("true", "1", "false", "0"):
        raise ValueError
    return text in ("true", "1")


def _double(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError
    return float(text)


_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?",
)


def _date_time(text: str) -> datetime:
    """ISO only: the US form is a fault."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = int((fraction or "0").ljust(6, "0")[:6])
    value = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro)
    if zone is None:
        return value
    if zone == "Z":
        return value.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return value.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "int": _integer(32),
    "long": _integer(64),
    "boolean": _boolean,
    "double": _double,
    "dateTime": _date_time,
}


# -- answers ----------------------------------------------------------------------------------------------------------

_DEFAULTS: Mapping[str, Any] = {"int": 0, "long": 0, "boolean": False, "double": 0.0, "dateTime": datetime(1, 1, 1)}


def encode(interface: Interface, wrapper: str, result: Member, values: Values, *, additions: bool = False) -> bytes:
    """The whole envelope of an answer. `additions` puts members that no client knows into every row."""
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"s": ENVELOPE})
    body = etree.SubElement(envelope, f"{{{ENVELOPE}}}Body")
    outer = etree.SubElement(body, f"{{{API}}}{wrapper}", nsmap={None: API})
    element = etree.SubElement(outer, result.tag, nsmap={"i": XSI})
    _write(interface, interface.complexes[result.type], element, values, additions)
    text: bytes = etree.tostring(envelope, encoding="utf-8")
    return text


def _write(interface: Interface, complex_: Complex, parent: etree._Element, values: Values, additions: bool) -> None:
    if not values.keys() <= complex_.by_name.keys():
        raise TypeError(f"{complex_.name[1]} has no {sorted(values.keys() - complex_.by_name.keys())}")
    rows = additions and bool(values) and any(member.omits for member in complex_.members)
    middle = len(complex_.members) // 2
    for at, member in complex_.written(tuple(values)):
        if rows and at >= middle:
            etree.SubElement(parent, f"{{{complex_.name[0]}}}{UNKNOWN_MEMBER}").text = "1"
            rows = False
        value = values.get(member.name)
        if not member.omits or (value is not None and value is not False):
            _write_member(interface, member, parent, value, additions)
    if rows:
        etree.SubElement(parent, f"{{{complex_.name[0]}}}{UNKNOWN_MEMBER}").text = "1"


def _write_member(interface: Interface, member: Member, parent: etree._Element, value: Any, additions: bool) -> None:
    if member.omits and (value is None or value is False):
        return
    if value is None and not member.nillable:
        value = _DEFAULTS.get(member.type[1]) if member.type[0] == XSD else None
        if value is None and not member.required:
            return
    child = etree.SubElement(parent, member.tag)
    if value is None:
        child.set(NIL, "true")
        return
    inner = interface.complexes.get(member.type)
    if inner is None:
        child.text = _text(value)
    elif inner.item is None:
        _write(interface, inner, child, value, additions)
    else:
        for one in value:
            _write_member(interface, inner.item, child, {} if one is None else one, additions)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float | Decimal):
        return f"{value:.15g}"
    return str(value)


def fault(error: FaultError) -> bytes:
    """A SOAP 1.1 Fault as the dispatcher writes it."""
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"s": ENVELOPE})
    inner = etree.SubElement(etree.SubElement(envelope, f"{{{ENVELOPE}}}Body"), f"{{{ENVELOPE}}}Fault")
    code = etree.SubElement(inner, "faultcode", nsmap={"a": DISPATCH})
    code.text = f"a:{error.code}"
    text = etree.SubElement(inner, "faultstring")
    text.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    text.text = error.text
    result: bytes = etree.tostring(envelope, encoding="utf-8")
    return result
