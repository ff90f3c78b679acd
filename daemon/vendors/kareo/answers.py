"""Reading Kareo's answers with lxml: members by their local names, as the text that they are.

zeep makes the requests, but a typed object of each of a patient's 160 members, whose text is then wanted again, costs thirty times
as much (NOTES, section 2). Missing, nil and empty members are the same; unknown ones are passed over; an answer that is cut off is none.
"""

from __future__ import annotations

from lxml import etree

_STRICT = {"resolve_entities": False, "no_network": True, "load_dtd": False, "remove_comments": True, "remove_pis": True}
_END = b"Envelope>"


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
    """The body of the envelope; None when this is no complete envelope, or declares a document type."""
    root = _parsed(content, recover=False)
    if root is None and content.rstrip().endswith(_END):  # complete, with a character in it that XML does not have
        root = _parsed(content, recover=True)
    if root is None or _local(root) != "Envelope" or root.getroottree().docinfo.doctype:
        return None
    return Node(root).node("Body")


def _parsed(content: bytes, *, recover: bool) -> etree._Element | None:
    try:
        return etree.fromstring(content, etree.XMLParser(recover=recover, **_STRICT))
    except (etree.XMLSyntaxError, ValueError):
        return None
