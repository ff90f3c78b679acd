"""Every request of the clinic day, held against what the vendors publish: Elation's OpenAPI document, Kareo's WSDL.

The sandboxes are ours and may be wrong about what they take; the published schemas are not ours. Requests are held to them
strictly: a property that is not listed, or is read-only, is an error even where the schema lets others through.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from lxml import etree
from referencing import Registry, Resource

from daemon.sandbox.elation.calls import Call
from tests.conftest import SHARED

if TYPE_CHECKING:
    from tests.played_day import PlayedDay

pytest_plugins = ("tests.played_day",)

OPENAPI = SHARED / "apis" / "elation" / "openapi.json"
WSDL = SHARED / "apis" / "kareo" / "KareoServices.wsdl"
ABSENT = "the vendors' published documents are not beside the repository (../shared/apis)"

# -- Elation ------------------------------------------------------------------------------------------------------------------

BASE = "/api/2.0"
GRANT = "/oauth2/token/"
UNPUBLISHED_QUERY = {"cursor"}
"""NOTES, Known faults: missing in the document."""
POLICIES = {
    "/patients/{id}/policies": {"GET", "POST"},
    "/patients/{id}/policies/{policy_id}": {"GET", "PUT", "DELETE"},
}
"""NOTES, Insurance: a separate service, not in the document."""


@dataclass(frozen=True)
class Published:
    """Elation's document, turned to requests: nothing read-only, nothing unlisted."""

    paths: Mapping[str, Mapping[str, Any]]
    registry: Registry[Any]

    def template(self, path: str) -> str | None:
        """The published path of the same shape; the names of its variables do not matter."""
        wanted = _shape(BASE + path)
        return next((one for one in self.paths if _shape(one) == wanted), None)

    def problems(self, call: Call) -> Iterator[str]:
        """What is wrong with a request: places and kinds, no values."""
        where = f"{call.method} {call.path}"
        template = self.template(call.path)
        if template is None or call.method.lower() not in self.paths[template]:
            yield f"{where} is not published"
            return
        operation = self.paths[template][call.method.lower()]
        listed = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"} | UNPUBLISHED_QUERY
        yield from (f"{where}?{name} is not published" for name in sorted(set(call.query) - listed))
        wanted = operation.get("requestBody")
        if wanted is None:
            if call.body:
                yield f"{where} takes no body"
            return
        reference = wanted["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        validator = Draft202012Validator(
            {"$ref": f"urn:elation#/components/schemas/{reference}"}, registry=self.registry, format_checker=FormatChecker()
        )
        for error in validator.iter_errors(call.body):
            place = ".".join("[]" if isinstance(one, int) else one for one in error.absolute_path)
            yield f"{where} body {place}: {error.validator}: {error.message if error.validator != 'pattern' else ''}"


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path.rstrip("/"))


def _strict(schema: Any) -> Any:
    """The schema as it applies to requests."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items() if name != "properties"}
    properties = schema.get("properties")
    if isinstance(properties, dict):
        writable = {name: _strict(one) for name, one in properties.items() if not one.get("readOnly")}
        made["properties"] = writable
        made["required"] = [name for name in schema.get("required", []) if name in writable]
        made["additionalProperties"] = False
    if schema.get("nullable"):
        return {"anyOf": [made, {"type": "null"}]}
    return made


@pytest.fixture(scope="module")
def published() -> Published:
    if not OPENAPI.exists():
        pytest.skip(ABSENT)
    document = json.loads(OPENAPI.read_text())
    schemas = {"components": {"schemas": {name: _strict(one) for name, one in document["components"]["schemas"].items()}}}
    resource = Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **schemas})
    return Published(document["paths"], Registry().with_resource("urn:elation", resource))


def _asked(played_day: PlayedDay, *, policies: bool = False) -> list[Call]:
    calls = [call for call in played_day.clinic.ehr.calls if call.path != GRANT]
    return [call for call in calls if (call.path.rstrip("/") in POLICIES) is policies]


def test_every_elation_request_is_as_published(played_day: PlayedDay, published: Published) -> None:
    calls = _asked(played_day)
    assert {problem for call in calls for problem in published.problems(call)} == set()
    assert len(calls) > 200


def test_day_exercises_each_write_to_elation(played_day: PlayedDay) -> None:
    """A request that nobody made proves nothing."""
    made = {(call.method, call.path) for call in played_day.clinic.ehr.calls}
    assert made >= {
        ("POST", "/patients/"),
        ("PATCH", "/patients/{id}/"),
        ("POST", "/appointments/"),
        ("PATCH", "/appointments/{id}/"),
        ("DELETE", "/appointments/{id}/"),
        ("PATCH", "/bills/{id}/"),
        ("POST", "/insurance_companies/"),
        ("POST", "/insurance_plans/"),
        ("POST", "/patients/{id}/policies"),
        ("PUT", "/patients/{id}/policies/{policy_id}"),
    }


def test_paths_come_with_their_slash(played_day: PlayedDay) -> None:
    assert {call.path for call in _asked(played_day) if not call.slash} == set()
    assert {call.path for call in _asked(played_day, policies=True) if call.slash} == set()


# -- Elation's policies, by the table in NOTES --------------------------------------------------------------------------------

TEXT, NUMBER, DAY, MONEY, FLAG = r"(?s).*", r"\d+", r"\d{4}-\d\d-\d\d", r"\d+\.\d\d", r"True|False"
REQUIRED = {"practice_id", "patient_id", "patient_first_name", "patient_last_name", "patient_dob", "status"}
POLICY: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("practice_id", "patient_id", "carrier_id", "plan_id"), (int, NUMBER)),
    **dict.fromkeys(("patient_first_name", "patient_last_name", "carrier_name", "plan_name"), (str, TEXT)),
    **dict.fromkeys(("patient_dob", "start_date", "end_date", "insured_person_dob"), (str, DAY)),
    "status": (str, "active|inactive"),
    "rank": (int, "[123]"),
    **dict.fromkeys(("member_id", "group_id"), (str, r"(?s).{0,50}")),
    **dict.fromkeys(("copay", "deductible"), (str, MONEY)),
    **dict.fromkeys(("phone", "extension", "address", "suite", "city", "state", "zip", "county_code"), (str, TEXT)),
    **{
        f"insured_person_{name}": (str, TEXT)
        for name in ("first_name", "last_name", "address", "city", "state", "zip", "id", "ssn", "sex_at_birth")
    },
    "relationship_to_insured": (str, "self|child|spouse|other"),
    "payment_program": (
        str,
        "medicare_part_b|medicare_advantage|medicaid|commercial_hmsa|commercial_sfhp|commercial_other|workers_compensation",
    ),
    **dict.fromkeys(("medicare_secondary_code", "front_image_path", "back_image_path"), (str, TEXT)),
    **dict.fromkeys(("can_check_eligibility", "is_legacy_insurance"), (bool, FLAG)),
}
NOT_SENT_NEW = {"id", "can_check_eligibility", "is_legacy_insurance", "front_image_path", "back_image_path"}
"""`keep as read`: only a PUT carries them back."""


def policy_problems(call: Call) -> Iterator[str]:
    where = f"{call.method} {call.path}"
    if call.method not in POLICIES[call.path.rstrip("/")]:
        yield f"{where} does not exist"
    yield from (f"{where}?{name}" for name in set(call.query) - {"active_only", "limit", "offset", "cursor"})
    if call.method not in ("POST", "PUT"):
        if call.body:
            yield f"{where} takes no body"
        return
    body = call.body
    if not isinstance(body, dict):
        yield f"{where} body is no object"
        return
    yield from (f"{where} lacks {name}" for name in sorted((REQUIRED | {"copay", "deductible"}) - set(body)))
    if call.method == "POST":
        yield from (f"{where} body {name} is not for new ones" for name in sorted(NOT_SENT_NEW & set(body)))
    for name, value in body.items():
        if name == "id" and call.method == "PUT":
            continue
        if name not in POLICY:
            yield f"{where} body {name} is not in the table"
            continue
        kind, pattern = POLICY[name]
        if value is None:
            if name in REQUIRED:
                yield f"{where} body {name} is null"
        elif type(value) is not kind or not re.fullmatch(pattern, str(value)):
            yield f"{where} body {name} is not of its kind"


def test_every_policy_request_is_as_in_the_notes(played_day: PlayedDay) -> None:
    calls = _asked(played_day, policies=True)
    assert {problem for call in calls for problem in policy_problems(call)} == set()
    assert {call.method for call in calls} >= {"GET", "POST", "PUT"}


def test_active_policies_have_a_rank(played_day: PlayedDay) -> None:
    """NOTES, Insurance: one active policy per rank; null is only sensible for inactive ones."""
    bodies = [call.body for call in _asked(played_day, policies=True) if isinstance(call.body, dict)]
    assert [one for one in bodies if one["status"] == "active" and one.get("rank") is None] == []


def _first(played_day: PlayedDay, method: str, path: str) -> Call:
    return copy.deepcopy(
        next(call for call in played_day.clinic.ehr.calls if (call.method, call.path.rstrip("/")) == (method, path))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call.body.update(nickname="x"),
        lambda call: call.body.update(id=1),
        lambda call: call.body.pop("last_name"),
        lambda call: call.body.update(dob="7/17/1971"),
        lambda call: call.body.update(sex="female"),
        lambda call: call.body["phones"].append({"phone": "1", "phone_type": "Pager"}),
        lambda call: call.query.update(name="x"),
        lambda call: setattr(call, "method", "TRACE"),
        lambda call: setattr(call, "path", "/people/"),
    ],
    ids=["unlisted", "read-only", "missing", "date", "enum", "nested-enum", "query", "method", "path"],
)
def test_changed_elation_request_is_refused(
    played_day: PlayedDay, published: Published, change: Callable[[Any], object]
) -> None:
    call = _first(played_day, "POST", "/patients")
    assert list(published.problems(call)) == []
    change(call)
    assert list(published.problems(call)) != []


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"copay": 20},
        {"rank": 4},
        {"status": "cancelled"},
        {"relationship_to_insured": "Spouse"},
        {"patient_dob": None},
        {"start_date": "1/1/2026"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changed_policy_request_is_refused(played_day: PlayedDay, change: dict[str, Any]) -> None:
    call = _first(played_day, "POST", "/patients/{id}/policies")
    assert list(policy_problems(call)) == []
    assert isinstance(call.body, dict)
    call.body.update(change)
    assert list(policy_problems(call)) != []


# -- Kareo --------------------------------------------------------------------------------------------------------------------

XS = "{http://www.w3.org/2001/XMLSchema}"
SOAP_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"
BILLING = "{http://www.kareo.com/api/schemas/}"


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    """The schemas of the WSDL's types, made one by files that import each other."""
    if not WSDL.exists():
        pytest.skip(ABSENT)
    folder: Path = tmp_path_factory.mktemp("xsd")
    schemas = {one.get("targetNamespace"): one for one in etree.parse(WSDL).iter(f"{XS}schema")}
    files = {namespace: f"{number}.xsd" for number, namespace in enumerate(schemas)}
    for namespace, schema in schemas.items():
        for imported in schema.findall(f"{XS}import"):
            imported.set("schemaLocation", files[imported.get("namespace")])
        (folder / files[namespace]).write_bytes(etree.tostring(schema))
    root = etree.Element(f"{XS}schema")
    for namespace, file in files.items():
        etree.SubElement(root, f"{XS}import", namespace=namespace, schemaLocation=file)
    (folder / "all.xsd").write_bytes(etree.tostring(root))
    return etree.XMLSchema(etree.parse(folder / "all.xsd"))


@cache
def _request(raw: bytes) -> etree._Element:
    """The one child of soap:Body, as a document of its own."""
    (child,) = etree.fromstring(raw).find(SOAP_BODY)
    return etree.fromstring(etree.tostring(child))


def test_every_kareo_request_is_as_the_wsdl_has_it(played_day: PlayedDay, contract: etree.XMLSchema) -> None:
    """Names, namespaces, order and types; the message is the one that its operation takes."""
    problems = set()
    for call in played_day.clinic.billing.calls:
        request = _request(call.request)
        if request.tag != BILLING + call.operation:
            problems.add(f"{call.operation} came as {request.tag}")
        elif not contract.validate(request):
            problems |= {f"{call.operation} {one.path}: {one.type_name}" for one in contract.error_log}
    assert problems == set()
    assert len(played_day.clinic.billing.calls) > 200


def test_day_exercises_each_operation_of_the_sync(played_day: PlayedDay) -> None:
    assert {call.operation for call in played_day.clinic.billing.calls} >= {
        "GetPractices",
        "GetProviders",
        "GetServiceLocations",
        "GetExternalVendors",
        "RegisterExternalVendor",
        "GetPatients",
        "GetPatient",
        "GetAllPatients",
        "CreatePatient",
        "UpdatePatient",
        "GetAppointments",
        "GetAppointment",
        "CreateEncounter",
        "GetCharges",
    }


def _swap(request: etree._Element) -> None:
    fields = request[0]
    fields.append(fields[0])


def _unknown(request: etree._Element) -> None:
    etree.SubElement(request[0], f"{BILLING}Surprise").text = "x"


def _renamed(request: etree._Element) -> None:
    request.tag = f"{BILLING}CreatePerson"


def _foreign(request: etree._Element) -> None:
    request[0].tag = "{urn:elsewhere}request"


def _not_a_number(request: etree._Element) -> None:
    found = next(one for one in request.iter() if isinstance(one.tag, str) and one.tag.endswith("}PracticeID"))
    found.text = "elm"


@pytest.mark.parametrize("change", [_swap, _unknown, _renamed, _foreign, _not_a_number], ids=lambda one: one.__name__[1:])
def test_changed_kareo_request_is_refused(
    played_day: PlayedDay, contract: etree.XMLSchema, change: Callable[[etree._Element], None]
) -> None:
    raw = next(call.request for call in played_day.clinic.billing.calls if call.operation == "CreatePatient")
    request = copy.deepcopy(_request(raw))
    assert contract.validate(request)
    change(request)
    assert not contract.validate(request)
