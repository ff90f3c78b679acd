"""The decoders of foreign bytes, each with bytes near to what it reads, and the errors it may raise."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from daemon.config import ConfigError, load
from daemon.vendors.elation import refusals, signature, translate, wire
from daemon.vendors.elation.connector import bill_observation, chart_observation
from daemon.vendors.elation.exchange import Answer
from daemon.vendors.kareo import failures, rows, soap
from daemon.vendors.kareo import translate as kareo
from daemon.vendors.ports.errors import Malformed, VendorError
from daemon.vendors.registry import SECTIONS
from events import archive
from events.archive import NoArchive
from events.codec import KeyMissing, Keyring, UnreadableEvent, decode_event, encode_event
from events.evidence import NoCheckpoint, decode_checkpoint
from events.feed import NotAnEvent, decode_published
from events.handover import _claim
from events.ids import EventId, PracticeId
from events.schema import Event, Origin, RevisitDue
from events.topics import Change, Checkpoint, Note, Nudge, decode_message, encode_message
from events.writes import System

ELM = PracticeId("elm")
KEYS = Keyring({"elm.1": b"1" * 32})
NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
LARGEST = 4096
ZONE = ZoneInfo("America/Denver")

PIECES = [
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"&#0;", b"&foo;", b"]]>", b"<", b"<!DOCTYPE x>", b"<!-- ", b"\x1b[2J", b"\\u0000",
    b'"\\ud800"', b"9" * 30, b"1e999", b"-1", b"null", b"NaN", b"[" * 1200, b"{\"a\":" * 600, b"\x91" * 1200, b"\xdd\xff\xff\xff\xff",
    b"0001-01-01", b"1/1/0001", b"12/31/9999 11:59:59 PM", b"9999-12-31T23:59:59-14:00", "\u202e\u0661".encode(),
]  # fmt: skip
"""What has ended programs before."""


@dataclass(frozen=True)
class Target:
    """`read` reads bytes; `seeds` are whole ones, of which others are made; anything but `errors` fails."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    errors: tuple[type[Exception], ...]
    allowed_seconds: float = field(default=5.0)

    def inputs(self) -> st.SearchStrategy[bytes]:
        """Any bytes; seeds with pieces cut out, doubled, put in, and bits turned."""
        return st.binary(max_size=300) | st.builds(
            _changed, st.sampled_from(self.seeds()), st.lists(_CHANGES, min_size=1, max_size=6)
        )


_CHANGES = st.tuples(
    st.sampled_from(["cut", "double", "put", "turn", "end"]),
    st.integers(0, 2**16),
    st.integers(0, 64),
    st.sampled_from(PIECES),
)


def _changed(seed: bytes, changes: list[tuple[str, int, int, bytes]]) -> bytes:
    for how, at, length, piece in changes:
        at %= len(seed) + 1
        match how:
            case "cut":
                seed = seed[:at] + seed[at + length :]
            case "double":
                seed = seed[: at + length] + seed[at:]
            case "put":
                seed = seed[:at] + piece + seed[at:]
            case "turn" if at < len(seed):
                seed = seed[:at] + bytes([seed[at] ^ (1 << length % 8)]) + seed[at + 1 :]
            case "end":
                seed = seed[: max(1, at)]
    return seed[: 8 * LARGEST]


# -- messages ---------------------------------------------------------------------------------------------------------------

EVENT = Event(id=EventId(UUID(int=1)), practice=ELM, origin=Origin.EHR, observed=NOW, body=RevisitDue(reason="x"))
NOTE = Note(system=System.EHR, resource="patients", record="7", content_hash="ab", parent="7")


def _messages() -> list[bytes]:
    signed = [
        encode_message(one, KEYS)
        for one in (
            Change(practice=ELM, event=EVENT, notes=(NOTE,)),
            Checkpoint(practice=ELM, source="kareo.patients", value=NOW.isoformat()),
            Nudge(practice=ELM, system=System.EHR, what="patient:7"),
        )
    ]
    return [*signed, *(msgspec.msgpack.encode(msgspec.msgpack.decode(one)[:7]) for one in signed)]


def _published() -> list[bytes]:
    id_ = UUID(int=1).bytes
    row = [
        "elm",
        1,
        id_,
        "RevisitDue",
        1,
        "elation",
        "K:7",
        7,
        8,
        NOW,
        None,
        NOW,
        None,
        id_,
        "elm.1",
        b"x" * 40,
        1,
        b"y" * 32,
    ]
    return [msgspec.msgpack.encode(row)]


# -- vendors ----------------------------------------------------------------------------------------------------------------

CHART = {
    "id": 7, "first_name": "Ada", "last_name": "Byron", "dob": "1985-12-10", "sex": "Female", "caregiver_practice": 1,
    "phones": [{"phone": "7062233445", "phone_type": "Home", "created_date": "2026-01-01T00:00:00Z"}], "emails": [],
    "address": {"address_line1": "1 Main"}, "metadata": {"object_id": "x", "data": {"a": None}}, "last_modified": "2026-03-02T15:00:00Z",
}  # fmt: skip
BILL = {
    "id": 8, "patient": 7, "practice": 1, "service_date": "2026-03-02T15:00:00Z", "service_date_timezone": "America/Denver",
    "cpts": [{"cpt": "99213", "modifiers": [], "dxs": ["I10"], "units": 1.0, "unit_charge": "90"}],
    "last_modified_date": "2026-03-02T15:00:00Z",
}  # fmt: skip


def _json(*values: object) -> list[bytes]:
    return [msgspec.json.encode(value) for value in values]


def _webhook(body: bytes) -> None:
    envelope = wire.decode_webhook(body, "fuzz")
    wire.peek_id(envelope.data)
    {"bills": _bill}.get(envelope.resource, _chart)(bytes(envelope.data))


def _chart(body: bytes) -> None:
    chart_observation(wire.decode_patient(body, "fuzz"), NOW)


def _bill(body: bytes) -> None:
    bill_observation(wire.decode_bill(body, "fuzz"), "America/Denver", NOW)


def _page(body: bytes) -> None:
    for one in wire.read_page(wire.Patient, body, "fuzz").rows:
        if isinstance(one, wire.Patient):
            msgspec.json.encode(translate.chart(one))


def _refusal(body: bytes) -> None:
    for status in (400, 409):
        refusals.refusal("fuzz", Answer(status=status, location=body.decode("latin-1"), body=body), write=True)


def _signature(body: bytes) -> None:
    signature.verify(body, body.decode("latin-1"), body.decode("latin-1"))


def _soap(inner: str, operation: str = "GetPatients") -> bytes:
    return (
        f'<s:Envelope xmlns:s="urn:s"><s:Body><{operation}Response xmlns="urn:k"><{operation}Result xmlns:b="urn:d">{inner}'
        f"</{operation}Result></{operation}Response></s:Body></s:Envelope>"
    ).encode()


PATIENT_ROW = (
    "<b:ID>7</b:ID><b:FirstName>Ada</b:FirstName><b:DOB>12/10/1985</b:DOB><b:CreatedDate>3/2/2026 3:00:00 PM</b:CreatedDate>"
    "<b:DefaultRenderingProviderId>5</b:DefaultRenderingProviderId>"
)
CASES = (
    "<b:Cases><b:PatientCaseData><b:PatientCaseID>1</b:PatientCaseID><b:IsPrimaryCase>true</b:IsPrimaryCase><b:InsurancePolicies>"
    "<b:PatientInsurancePolicyData><b:InsurancePolicyID>3</b:InsurancePolicyID><b:EffectiveEndDate>12/31/9999</b:EffectiveEndDate>"
    "</b:PatientInsurancePolicyData></b:InsurancePolicies></b:PatientCaseData></b:Cases>"
)
VISIT = (
    "<b:ID>9</b:ID><b:StartDate>3/2/2026 3:00:00 PM</b:StartDate><b:EndDate>3/2/2026 3:15:00 PM</b:EndDate>"
    "<b:PatientID>7</b:PatientID><b:Type>P</b:Type><b:ResourceName1>Grey</b:ResourceName1>"
)


def _patients(body: bytes) -> None:
    answer = soap.read("GetPatients", 200, body, 1.0)
    failures.judge("GetPatients", answer, 1.0)
    for one in rows.read_rows(rows.listed(answer, "Patients", "PatientData"), rows.patient, ZONE, "rows").rows:
        msgspec.msgpack.encode(kareo.chart(one))


def _patient(body: bytes) -> None:
    answer = soap.read("GetPatient", 200, body, 1.0)
    row = answer.node("Patient")
    if row is not None:
        rows.patient(rows.RowReader(row, ZONE))
        for case in rows.listed(row, "Cases", "PatientCaseData"):
            rows.case(case, ZONE)


def _appointments(body: bytes) -> None:
    answer = soap.read("GetAppointments", 200, body, 1.0)
    found = rows.listed(answer, "Appointments", "AppointmentData")
    for one in rows.read_rows(found, rows.appointment, ZONE, "rows").rows:
        msgspec.msgpack.encode(kareo.appointment(one, str(one.id), None))


def _write(body: bytes) -> None:
    failures.judge("CreateEncounter", soap.read("CreateEncounter", 200, body, 1.0), 1.0)


# -- files ------------------------------------------------------------------------------------------------------------------

TOML = b"""
[postgres]
dsn = "postgresql://localhost/x"
[kafka]
bootstrap_servers = "localhost:9092"
[keys]
directory = "keys"
[http]
public_url = "https://x.example"
[[practice]]
id = "elm"
name = "Elm"
time_zone = "America/Denver"
[practice.elation]
base_url = "https://elation.example"
practice_id = 1
client_id = "x"
client_secret_file = "secret"
[practice.maps]
providers = { "1" = 2 }
"""


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="chartwire-fuzz-"))
    (folder / "keys").mkdir()
    (folder / "secret").write_text("x")
    return folder


def _config(body: bytes) -> None:
    file = _folder() / "chartwire.toml"
    file.write_bytes(body)
    load(file, SECTIONS)


def _archives() -> list[bytes]:
    out = io.BytesIO()
    manifest = archive.Manifest(practice="elm", made=NOW, keys={"elm.1": b"1" * 32})
    writer = archive.ArchiveWriter(out, manifest, archive.Recipient(key=b"2" * 32), lambda row: ("", b""))
    writer.rows([])
    writer.end(0, None)
    return [out.getvalue()]


def _archive(body: bytes) -> Iterator[Any]:
    reader = archive.ArchiveReader(io.BytesIO(body), archive.Recipient(key=b"2" * 32))
    return iter(list(reader.rows()))


def _frame(kind: Any, body: bytes) -> None:
    """A frame that opens and holds anything: an archive may come from somebody who has its key."""
    archive._decode(body, kind)


UNREADABLE = (UnreadableEvent, KeyMissing)

TARGETS: Mapping[str, Target] = {
    "kafka-message": Target(lambda body: decode_message(body, KEYS), _messages, UNREADABLE),
    "kafka-event": Target(lambda body: decode_event(body, KEYS), lambda: [encode_event(EVENT, KEYS)], UNREADABLE),
    "kafka-published": Target(lambda body: decode_published(body).open(KEYS), _published, (NotAnEvent, *UNREADABLE)),
    "kafka-claim": Target(_claim, lambda: [msgspec.msgpack.encode([3, [1, 2]])], ()),
    "webhook": Target(
        _webhook,
        lambda: _json(*({"data": one, "action": "saved", "resource": name, "event_id": 1, "event_uuid": "x"}
                        for name, one in (("patients", CHART), ("bills", BILL)))),
        (Malformed,),
    ),
    "webhook-signature": Target(_signature, lambda: [b"QUJD" * 22], ()),
    "elation-chart": Target(_chart, lambda: _json(CHART), (Malformed,)),
    "elation-bill": Target(_bill, lambda: _json(BILL), (Malformed,)),
    "elation-page": Target(_page, lambda: _json({"results": [CHART, CHART], "next": "https://x.example/?a=1"}), (Malformed,)),
    "elation-refusal": Target(_refusal, lambda: _json({"phones": [{"phone": ["bad"]}]}, {"redirect": "/patients/7"}), ()),
    "kareo-patients": Target(
        _patients, lambda: [_soap(f"<b:Patients>{2 * f'<b:PatientData>{PATIENT_ROW}</b:PatientData>'}</b:Patients>")], (VendorError,)
    ),
    "kareo-patient": Target(
        _patient, lambda: [_soap(f"<b:Patient>{PATIENT_ROW}{CASES}</b:Patient>", "GetPatient")], (VendorError, rows.BadMember)
    ),
    "kareo-appointments": Target(
        _appointments,
        lambda: [_soap(f"<b:Appointments><b:AppointmentData>{VISIT}</b:AppointmentData></b:Appointments>", "GetAppointments")],
        (VendorError,),
    ),
    "kareo-write": Target(
        _write,
        lambda: [_soap("<b:ErrorResponse><b:IsError>true</b:IsError><b:ErrorMessage>&lt;Encounter&gt;&lt;A&gt;1&lt;err&gt;x&lt;/err&gt;"
                       "&lt;/A&gt;&lt;/Encounter&gt;</b:ErrorMessage></b:ErrorResponse>", "CreateEncounter")],
        (VendorError,),
    ),
    "archive": Target(_archive, _archives, (NoArchive,)),
    "archive-rows": Target(partial(_frame, list[archive.EventRow]), lambda: [b"\x91" + _published()[0]], (NoArchive,)),
    "archive-manifest": Target(
        partial(_frame, archive.Manifest), lambda: [msgspec.msgpack.encode({"practice": "elm", "made": NOW, "keys": {"a": b"b"}})],
        (NoArchive,),
    ),
    "audit-checkpoint": Target(decode_checkpoint, lambda: [b'{"format": "chartwire-checkpoint-1", "made": "2026-03-02T15:00:00Z", "marks": []}'],
                               (NoCheckpoint,)),
    "configuration": Target(_config, lambda: [TOML], (ConfigError,)),
}  # fmt: skip
