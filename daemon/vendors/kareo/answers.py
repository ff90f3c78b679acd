"""Reading Kareo's answers with lxml: members by their local names, as the text that they are.

zeep makes the requests, but a typed object of each of a patient's 160 members, whose text is then wanted again, costs thirty times
as much. Missing, nil and empty members are the same; unknown ones are passed over; an answer that is cut off is none.
"""

from __future__ import annotations

import re
from base64 import b64encode

from lxml import etree

from events.decoding import decoding

_STRICT = {"resolve_entities": False, "no_network": True, "load_dtd": False, "remove_comments": True, "remove_pis": True}
_END = b"Envelope>"
BROKEN = "chartwire.broken"
"""The member of a row that could not be read: its bytes in base64."""
_IMPOSSIBLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
_REFERENCE = re.compile(rb"&#([0-9]{1,10}|[xX][0-9a-fA-F]{1,8});")
_NAMESPACE = re.compile(rb'(xmlns:\w+)="[^"<>&]*"')
_LISTED = b"Practice|Provider|ServiceLocation|Patient|PatientBatch|Appointment|Charge|ExternalVendor"
_ROW = re.compile(rb"<((?:\w+:)?(?:" + _LISTED + rb")Data)(?:\s[^<>]*)?>")
_ID = re.compile(rb"<(?:\w+:)?ID>\s*([0-9]{1,18})\s*</")


class Node:
    """One element of an answer."""

    __slots__ = ("_members", "element")

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self._members = {_local(one): one for one in element}

    def text(self, name: str) -> str:
        """A member's text, outer white space off; "" where there is none."""
        found = self._members.get(name)
        return "" if found is None else (found.text or "").strip()

    def holds_elements(self, name: str) -> bool:
        """Whether a member is no text alone."""
        found = self._members.get(name)
        return found is not None and len(found) > 0

    def node(self, name: str) -> Node | None:
        """A member that has members of its own."""
        found = self._members.get(name)
        return None if found is None else Node(found)

    def nodes(self, name: str) -> list[Node]:
        """All members of this name: the rows of a list."""
        return [Node(one) for one in self.element if _local(one) == name]


def _local(element: etree._Element) -> str:
    tag = str(element.tag)
    return tag[tag.find("}") + 1 :]


def body_of(content: bytes) -> Node | None:
    """The body of the envelope; None when this is no complete envelope, or declares a document type.

    Nothing is guessed: characters that XML does not have are left out, and a row that is broken then (`a<b`, `Ann&foo;a`) is
    unusable (`BROKEN`), because a parser that goes on reads a cut value.
    """
    root = _parsed(content)
    if root is None and is_complete(content):
        content = _REFERENCE.sub(_without_impossible, _IMPOSSIBLE.sub(b"", content))
        root = _parsed(content)
        if root is None:
            root = _parsed(_without_broken_rows(content))
    if root is None or _local(root) != "Envelope" or root.getroottree().docinfo.doctype:
        return None
    return Node(root).node("Body")


def is_complete(content: bytes) -> bool:
    """Whether an answer goes on to the end of its envelope; one that declares a document type is none."""
    return b"<!DOCTYPE" not in content and content[-200:].rstrip().endswith(_END)


def _parsed(content: bytes) -> etree._Element | None:
    try:
        with decoding(lambda _: ValueError("no XML")):
            return etree.fromstring(content, etree.XMLParser(**_STRICT))
    except ValueError:
        return None


def _without_impossible(reference: re.Match[bytes]) -> bytes:
    digits = reference.group(1)
    code = int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)
    possible = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return reference.group() if possible else b""


def _without_broken_rows(content: bytes) -> bytes:
    """The content with each broken row of a list as `BROKEN`, that row's own bytes in it, and its id where that is legible."""
    around = b" ".join({one.group(1): one.group() for one in _NAMESPACE.finditer(content)}.values())
    parts: list[bytes] = []
    at = 0
    while (start := _ROW.search(content, at)) is not None:
        name = start.group(1)
        end = content.find(b"</" + name + b">", start.end())
        if end < 0:
            break
        end += len(name) + 3
        row = content[start.start() : end]
        parts += [content[at : start.start()], row]
        if _parsed(b"<rows " + around + b">" + row + b"</rows>") is None:
            ids = _ID.findall(row)
            id_ = b"<ID>" + ids[0] + b"</ID>" if len(ids) == 1 else b""
            raw = f"<{BROKEN}>".encode() + b64encode(row) + f"</{BROKEN}>".encode()
            parts[-1] = b"<" + name + b">" + id_ + raw + b"</" + name + b">"
        at = end
    return b"".join((*parts, content[at:]))
