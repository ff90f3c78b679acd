"""The sandbox's own WSDL is a compatible part of the vendor's: a client made for one talks to the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from daemon.sandbox.kareo import wsdl

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "apis" / "kareo" / "KareoServices.wsdl"
OPERATIONS = {
    "GetPractices",
    "GetProviders",
    "GetServiceLocations",
    "GetProcedureCodes",
    "GetExternalVendors",
    "RegisterExternalVendor",
    "UpdatePatientsExternalID",
    "GetPatients",
    "GetPatient",
    "GetAllPatients",
    "CreatePatient",
    "UpdatePatient",
    "GetAppointments",
    "GetAppointment",
    "CreateAppointment",
    "UpdateAppointment",
    "DeleteAppointment",
    "CreateEncounter",
    "GetCharges",
    "GetEncounterDetails",
    "UpdateEncounterStatus",
}
OURS = wsdl.interface()


@pytest.fixture(scope="module")
def real() -> wsdl.Interface:
    if not REAL.exists():
        pytest.skip(f"the vendor's WSDL is not beside the repository ({'/'.join(REAL.parts[-4:])})")
    return wsdl.parse(REAL.read_bytes())


def test_serves_the_operations_of_the_sync() -> None:
    assert set(OURS.operations) == OPERATIONS


def test_served_document_names_the_address_it_is_served_from() -> None:
    served = etree.fromstring(OURS.served("http://127.0.0.1:9/x"))
    assert [one.get("location") for one in served.iter(f"{{{wsdl.SOAP}}}address")] == ["http://127.0.0.1:9/x"]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation_is_the_vendors(real: wsdl.Interface, name: str) -> None:
    """Same SOAPAction, same wrapper members with the same namespace, type and nillability."""
    assert OURS.operations[name] == real.operations[name]


@pytest.mark.parametrize("name", sorted(OURS.complexes), ids=lambda name: name[1])
def test_members_are_a_subsequence_of_the_vendors(real: wsdl.Interface, name: wsdl.QName) -> None:
    theirs = {member.name: member for member in real.complexes[name].members}
    order = [member.name for member in real.complexes[name].members]
    assert [member.name for member in OURS.complexes[name].members] == [
        one for one in order if one in OURS.complexes[name].by_name
    ]
    for member in OURS.complexes[name].members:
        assert member == theirs[member.name]


@pytest.mark.parametrize("name", sorted(OURS.complexes), ids=lambda name: name[1])
def test_nothing_that_the_vendor_requires_is_left_out(real: wsdl.Interface, name: wsdl.QName) -> None:
    required = {member.name for member in real.complexes[name].members if member.required}
    assert required <= set(OURS.complexes[name].by_name)


def test_enums_are_the_vendors(real: wsdl.Interface) -> None:
    assert OURS.enums
    assert {name: real.enums[name] for name in OURS.enums} == OURS.enums


def test_members_are_in_ordinal_order_base_first() -> None:
    """The DataContract rule, except for the wrappers of arrays, which have one member."""
    for complex_ in OURS.complexes.values():
        names = [member.name for member in complex_.members]
        own = [name for name in names if name not in ("RequestHeader", "ErrorResponse", "SecurityResponse")]
        if complex_.name[1] not in ("GroupPatientSummary", "ErrorResponse", "SecurityResponse"):
            assert own == sorted(own), complex_.name


def test_omission_of_nulls_is_as_annotated(real: wsdl.Interface) -> None:
    """Answer types whose members the vendor annotates `EmitDefaultValue=false` are the ones that omit."""
    annotated: set[str] = set()
    for node in etree.parse(str(REAL)).iter("{http://schemas.microsoft.com/2003/10/Serialization/}DefaultValue"):
        if node.get("EmitDefaultValue") == "false":
            owner = next(node.iterancestors(f"{{{wsdl.XSD}}}complexType"))
            annotated.add(owner.get("name"))
    answers = {name[1] for name in _reachable(OURS, [one.result.type for one in OURS.operations.values()])}
    omitting = {name[1] for name, one in OURS.complexes.items() if any(member.omits for member in one.members)}
    # A type of requests that one answer echoes, always empty.
    assert annotated & answers - {"PatientExternalIDSetting"} == omitting & answers


def test_sandbox_is_an_independent_witness() -> None:
    """It imports nothing of what it is to judge."""
    sources = [one.read_text() for one in Path(wsdl.__file__).parent.glob("*.py")]
    imported = {
        line.split()[1] for source in sources for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert not {one for one in imported if one.startswith(("events", "projections"))}
    assert all(one.startswith("daemon.sandbox.kareo") for one in imported if one.startswith("daemon"))


def _reachable(interface: wsdl.Interface, start: list[wsdl.QName]) -> set[wsdl.QName]:
    found: set[wsdl.QName] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in interface.complexes and name not in found:
            found.add(name)
            waiting += [member.type for member in interface.complexes[name].members]
    return found
