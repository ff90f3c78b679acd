"""What an answer comes to: throttled, refused, unauthorized or good (NOTES, section 3, in its order)."""

from __future__ import annotations

import re

from lxml import etree

from daemon.vendors.kareo.answers import Node
from daemon.vendors.ports.errors import (
    Defect,
    Malformed,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
    VendorError,
)

_THROTTLED = re.compile(r"endpoint requested more than allowed|^\s*429\b", re.IGNORECASE)
_MESSAGE = re.compile(rb"<(?:\w+:)?ErrorMessage[^>]*>(.*?)</(?:\w+:)?ErrorMessage>", re.DOTALL)
SAFE_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
UNREAD = frozenset({"DeserializationFailed", "ActionNotSupported"})
"""Faults of the dispatcher: the message was not understood, so no operation has begun (NOTES, section 3)."""
UNNAMED = frozenset({"err", "Encounter"})


def writes(operation: str) -> bool:
    """Whether a lost answer of the operation leaves something unknown."""
    return not operation.startswith("Get")


def lost(operation: str) -> VendorError:
    """No usable answer came."""
    name = f"kareo.{operation}"
    return OutcomeUnknown(name) if writes(operation) else Unreachable(name)


def faulted(operation: str, code: str, text: str) -> VendorError:
    """What a SOAP fault comes to; only those of `UNREAD` say that nothing was done."""
    name = code.rpartition(":")[2]
    if name not in UNREAD:
        return lost(operation)
    return Defect(
        f"kareo.{operation}", vendor_text=f"Kareo could not read the request ({name}), report it: {text}", status=500
    )


def judge(operation: str, answer: Node, pause: float) -> None:
    """Raise what the answer's ErrorResponse and SecurityResponse say; return when it is a success."""
    error = answer.node("ErrorResponse")
    if error is not None and yes(error.text("IsError")):
        refuse(operation, error.text("ErrorMessage"), pause)
    security = answer.node("SecurityResponse")
    if security is not None and any(no(security.text(name)) for name in ("Authenticated", "Authorized", "CustomerKeyValid")):
        raise Unauthorized(f"kareo.{operation}")


def yes(text: str) -> bool:
    """A boolean member that is true; one that is missing is neither true nor false."""
    return text.casefold() in ("true", "1")


def no(text: str) -> bool:
    """A boolean member that is false."""
    return text.casefold() in ("false", "0")


def refuse(operation: str, message: str, pause: float) -> None:
    """Raise Throttled or Refused for an ErrorMessage, with what can be extracted from an echoed encounter."""
    if _THROTTLED.search(message):
        raise Throttled(f"kareo.{operation}", pause)
    raise Refused(f"kareo.{operation}", vendor_text=message, problems=problems(message))


def message_in(raw: bytes) -> str:
    """The ErrorMessage of an answer that would not parse ("" when there is none)."""
    found = _MESSAGE.search(raw)
    return found.group(1).decode("utf-8", "replace") if found else ""


def problems(message: str) -> tuple[tuple[str, str, str], ...]:
    """(element, value, text) of every `<err>` inside an element of an echoed record; () for text that is not XML."""
    start = message.find("<")
    if start < 0:
        return ()
    try:
        root = etree.fromstring(message[start:].encode(), SAFE_PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return ()
    found: list[tuple[str, str, str]] = []
    for err in root.iter("{*}err"):
        parent = err.getparent()
        if parent is None:
            continue
        name = etree.QName(parent).localname
        if parent is root or name in UNNAMED:
            continue
        found.append((name, " ".join((parent.text or "").split()), " ".join("".join(err.itertext()).split())))
    return tuple(found)


def malformed(operation: str, path: str) -> Malformed:
    return Malformed(f"kareo.{operation}", path)


def not_found(refused: Refused) -> bool:
    """Whether a refusal says that there is no such record; the service's words for it are not documented."""
    text = refused.vendor_text.casefold()
    words = ("not found", "not find", "does not exist", "no longer exists", "not be found", "no such", "unable to find")
    return not isinstance(refused, Defect) and any(one in text for one in words)
