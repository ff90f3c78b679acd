"""What an answer comes to: throttled, refused, unauthorized or good."""

from __future__ import annotations

import re
from enum import StrEnum

from lxml import etree

from daemon.vendors.kareo.answers import Node
from daemon.vendors.ports.errors import (
    CredentialsRefused,
    Defect,
    Malformed,
    NotForAccount,
    OutcomeUnknown,
    Refused,
    Throttled,
    Troubled,
    Unauthorized,
    Unreachable,
    VendorError,
)


class Says(StrEnum):
    """What an ErrorMessage means for who asked."""

    TOO_FAST = "too fast"
    TROUBLE = "trouble of its own"
    """Tried again for hours, then a person."""
    UNKNOWN = "the outcome is not known"
    """Looked up."""
    ABSENT = "there is no such record"
    SETUP = "the account is not set up for it"
    """Nothing is created until a person says that it may work now."""
    REFUSED = "refused for what was asked"
    """A person."""


TEXTS: tuple[tuple[str, Says], ...] = (
    (r"\btranslating \w*appointment\w*\b|\b(provider|resource)guids\b", Says.SETUP),
    (r"endpoint requested more than allowed|^\s*429\b", Says.TOO_FAST),
    (r"^\s*$", Says.TROUBLE),
    (r"\bunexpected (error|exception)\b|\bunhandled exception\b|\binternal (server|service|system)? ?error\b", Says.TROUBLE),
    (r"\bobject reference not set\b|\bnullreferenceexception\b|\bargumentnullexception\b", Says.TROUBLE),
    (r"\bdeadlock(ed)?\b|\brerun the transaction\b|\bnetwork-related or instance-specific\b", Says.TROUBLE),
    (
        r"\b(service|system|server|database) (is )?(currently |temporarily )?(un|not )available\b|\btry again later\b",
        Says.TROUBLE,
    ),
    (r"\bdown for maintenance\b|\bmaintenance window\b|\bmax pool size was reached\b", Says.TROUBLE),
    (
        r"\btime-?out( period)? (expired|elapsed)\b|\btimeout expired\b|\b(has )?timed out\b|\btransport-level error\b",
        Says.UNKNOWN,
    ),
    (
        r"\bnot (be )?found\b|\bnot find\b|\bdoes not exist\b|\bno longer exists\b|\bno such\b|\bunable to find\b",
        Says.ABSENT,
    ),
)
"""The service's words (none are documented), by regular expression; the first that fits counts, and any other text is REFUSED."""

_TEXTS = tuple((re.compile(text, re.IGNORECASE), says) for text, says in TEXTS)
_MESSAGE = re.compile(rb"<(?:\w+:)?ErrorMessage[^>]*>(.*?)</(?:\w+:)?ErrorMessage>", re.DOTALL)
SAFE_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
UNREAD = frozenset({"DeserializationFailed", "ActionNotSupported"})
"""Faults of the dispatcher: the message was not understood, so no operation has begun."""
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
    if security is None:
        return
    if any(no(security.text(name)) for name in ("Authenticated", "CustomerKeyValid")):
        raise CredentialsRefused(f"kareo.{operation}")
    if no(security.text("Authorized")):
        raise Unauthorized(f"kareo.{operation}")


def yes(text: str) -> bool:
    """A boolean member that is true; one that is missing is neither true nor false."""
    return text.casefold() in ("true", "1")


def no(text: str) -> bool:
    """A boolean member that is false."""
    return text.casefold() in ("false", "0")


def refuse(operation: str, message: str, pause: float) -> None:
    """Raise what an ErrorMessage means (`TEXTS`), with what can be extracted from an echoed encounter."""
    match said(message):
        case Says.TOO_FAST:
            raise Throttled(f"kareo.{operation}", pause)
        case Says.TROUBLE:
            raise Troubled(f"kareo.{operation}", vendor_text=message)
        case Says.UNKNOWN:
            raise lost(operation)
        case Says.SETUP if operation == "CreateAppointment":
            raise NotForAccount(f"kareo.{operation}", vendor_text=_phrase(message))
    raise Refused(f"kareo.{operation}", vendor_text=message, problems=problems(message))


def said(message: str) -> Says:
    """What a text means. An echoed record is a refusal, whatever words stand in it."""
    if "<" in message and problems(message):
        return Says.REFUSED
    return next((says for text, says in _TEXTS if text.search(message)), Says.REFUSED)


def _phrase(message: str) -> str:
    """The words by which the text was told to be about the account: the rest of it may hold a patient's data."""
    found = (text.search(message) for text, says in _TEXTS if says is Says.SETUP)
    return next((one.group() for one in found if one is not None), "")


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
    """Whether a refusal says that there is no such record."""
    return not isinstance(refused, Defect) and said(refused.vendor_text) is Says.ABSENT
