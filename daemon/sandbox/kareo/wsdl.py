"""The sandbox's own WSDL (`billing.wsdl`), and the member tables that reading and writing are driven by.

A DataContract server goes by the order of the members, base type first; both the order and what is
required or nillable is taken from the served document itself, so that what is promised and what is done cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from lxml import etree

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
XSD = "http://www.w3.org/2001/XMLSchema"
API = "http://www.kareo.com/api/schemas/"
ACTION_PREFIX = API + "KareoServices/"
SERVICE_PATH = "/services/soap/2.1/KareoServices.svc"

QName = tuple[str, str]
"""Namespace and local name."""

OMITTING = frozenset({"ModifyPatientResp", "PatientCaseRes", "InsurancePolicyRes", "PatientBatchKey"})
"""Answer types besides `...Data` whose members are left out when null or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a complex type. `omits`: null and false are left out of answers instead of written."""

    name: str
    namespace: str
    type: QName
    required: bool
    nillable: bool
    many: bool
    omits: bool
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Complex:
    """Members in the order that the wire demands, the base type's first."""

    name: QName
    members: tuple[Member, ...]
    by_name: Mapping[str, Member] = field(default_factory=dict)
    _written: dict[tuple[str, ...], tuple[tuple[int, Member], ...]] = field(default_factory=dict)
    _places: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def item(self) -> Member | None:
        """The repeated member, if this is an `ArrayOf...` type."""
        return self.members[0] if len(self.members) == 1 and self.members[0].many else None

    def place_of(self, tag: str, first: int) -> int | None:
        """Where the member with this tag comes, from the place `first` on; None where none does."""
        if not self._places:
            for at, member in enumerate(self.members):
                self._places[member.tag] = (*self._places.get(member.tag, ()), at)
        return next((at for at in self._places.get(tag, ()) if at >= first), None)

    def written(self, names: tuple[str, ...]) -> tuple[tuple[int, Member], ...]:
        """The members that an answer with values for `names` may show, each with its place."""
        found = self._written.get(names)
        if found is None:
            shown = enumerate(self.members)
            found = tuple((at, one) for at, one in shown if not one.omits or one.name in names)
            self._written[names] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`parameter` is the one member of the request's wrapper element, `result` that of the answer's."""

    name: str
    action: str
    parameter: Member
    result: Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """The whole document as tables. `enums` are the closed sets of values; `text` is the document for serving."""

    complexes: Mapping[QName, Complex]
    enums: Mapping[QName, frozenset[str]]
    operations: Mapping[str, Operation]
    text: bytes

    def served(self, endpoint: str) -> bytes:
        """The document with the address under which it is being served."""
        root = etree.fromstring(self.text)
        for address in root.iter(f"{{{SOAP}}}address"):
            address.set("location", endpoint)
        served: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
        return served


@lru_cache(maxsize=1)
def interface() -> Interface:
    """Read once per process."""
    return parse(files(__package__).joinpath("kareo.wsdl").read_bytes())


def parse(text: bytes) -> Interface:
    """The tables of a WSDL written the way .NET writes them: named types, sequences, extensions, document/literal."""
    root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    definitions: dict[QName, etree._Element] = {}
    enums: dict[QName, frozenset[str]] = {}
    wrappers: dict[QName, Member] = {}
    for schema in root.iter(f"{{{XSD}}}schema"):
        namespace = schema.get("targetNamespace")
        for node in schema.iterchildren(f"{{{XSD}}}complexType"):
            definitions[namespace, node.get("name")] = node
        for node in schema.iterchildren(f"{{{XSD}}}simpleType"):
            enums[namespace, node.get("name")] = frozenset(
                value.get("value") for value in node.iter(f"{{{XSD}}}enumeration")
            )
        for node in schema.iterchildren(f"{{{XSD}}}element"):
            inner = node.findall(f"{{{XSD}}}complexType/{{{XSD}}}sequence/{{{XSD}}}element")
            if len(inner) == 1:
                wrappers[namespace, node.get("name")] = _member(inner[0], namespace, omits=False)
    complexes: dict[QName, Complex] = {}
    for name in definitions:
        members = tuple(_members(name, definitions))
        complexes[name] = Complex(name=name, members=members, by_name={member.name: member for member in members})
    operations = {}
    for node in root.findall(f"{{{WSDL}}}binding/{{{WSDL}}}operation"):
        name = node.get("name")
        operations[name] = Operation(
            name=name,
            action=node.find(f"{{{SOAP}}}operation").get("soapAction"),
            parameter=wrappers[API, name],
            result=wrappers[API, name + "Response"],
        )
    return Interface(complexes=complexes, enums=enums, operations=operations, text=text)


def _members(name: QName, definitions: Mapping[QName, etree._Element]) -> list[Member]:
    node = definitions[name]
    extension = node.find(f".//{{{XSD}}}extension")
    inherited = [] if extension is None else _members(_qname(extension, extension.get("base")), definitions)
    omits = name[1] in OMITTING or (name[1].endswith("Data") and not name[1].startswith("ArrayOf"))
    return inherited + [_member(one, name[0], omits=omits) for one in node.iter(f"{{{XSD}}}element")]


def _member(node: etree._Element, namespace: str, *, omits: bool) -> Member:
    return Member(
        name=node.get("name"),
        namespace=namespace,
        type=_qname(node, node.get("type")),
        required=node.get("minOccurs", "1") != "0",
        nillable=node.get("nillable") == "true",
        many=node.get("maxOccurs", "1") != "1",
        omits=omits,
        tag=f"{{{namespace}}}{node.get('name')}",
    )


def _qname(node: etree._Element, text: str) -> QName:
    prefix, _, local = text.rpartition(":")
    return node.nsmap[prefix or None], local
