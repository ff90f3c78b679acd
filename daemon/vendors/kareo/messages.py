"""Kareo's requests, written straight from the types that zeep has read of the WSDL.

zeep's own way makes an object of each of the 160 members that a request might name, to leave nearly all of them out again. What is
written here is the same, byte by byte (tests/unit/test_kareo_messages.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree
from zeep.wsa import WsAddressingPlugin

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class NotInWsdl(Exception):
    """The WSDL has no such message."""


class _Members:
    """A complex type's members in the order that the wire demands; those that must be there are `required`."""

    def __init__(self, type_: Any) -> None:
        self.order: list[tuple[str, Any]] = list(type_.elements)
        self.names = frozenset(name for name, _ in self.order)
        self.required = frozenset(name for name, one in self.order if not one.is_optional)
        self._written: dict[tuple[str, ...], list[tuple[str, Any]]] = {}

    def written(self, names: tuple[str, ...]) -> list[tuple[str, Any]]:
        """The members that a message with values for `names` has, in their order."""
        found = self._written.get(names)
        if found is None:
            found = [(name, one) for name, one in self.order if name in names or name in self.required]
            self._written[names] = found
        return found


class Messages:
    """The requests of one binding, which zeep has read."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding
        self._members: dict[int, _Members] = {}

    def envelope(self, operation: str, name: str, request: Mapping[str, object]) -> tuple[bytes, dict[str, str]]:
        """The message whose one parameter `name` is `request`, and its headers.

        Raises NotInWsdl, and lxml's ValueError for a text that XML cannot carry.
        """
        known = self._binding.get(operation)
        message = known.input
        nsmap = {"soap-env": ENVELOPE, **message.wsdl.types._prefix_map_custom}
        envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap=nsmap)
        body = etree.SubElement(envelope, f"{{{ENVELOPE}}}Body")
        self._fill(etree.SubElement(body, message.body.qname), message.body.type, {name: request})
        headers = {"SOAPAction": f'"{known.soapaction}"', "Content-Type": "text/xml; charset=utf-8"}
        if known.abstract.wsa_action:  # the published WSDL asks for WS-Addressing
            addressing: Any = WsAddressingPlugin
            envelope, headers = addressing().egress(envelope, headers, known, {"address": ""})
        return etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), headers

    def _fill(self, node: etree._Element, type_: Any, values: object) -> None:
        """The members that `values` names, and the empty ones that must be there."""
        members = self._members.get(id(type_))
        if members is None:
            members = self._members[id(type_)] = _Members(type_)
        if not isinstance(values, Mapping) or not values.keys() <= members.names:
            raise NotInWsdl
        if not values and not members.required:
            return
        for name, element in members.written(tuple(values)):
            value = values.get(name)
            if element.accepts_multiple and isinstance(value, list):
                for one in value:
                    self._write(node, element, one)
            elif value is not None or name in members.required:
                self._write(node, element, value)

    def _write(self, parent: etree._Element, element: Any, value: object) -> None:
        node = etree.SubElement(parent, element.qname)
        if value is None:
            if not element.nillable:
                raise NotInWsdl
            node.set(NIL, "true")
        elif hasattr(element.type, "elements"):
            self._fill(node, element.type, value)
        else:
            node.text = element.type.xmlvalue(value)
