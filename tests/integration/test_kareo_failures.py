"""What the Kareo client makes of failures: certain ones, uncertain ones, and ours; each call is sent once, and nothing is told."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from daemon.sandbox.kareo import KareoSwitches
from daemon.sandbox.kareo.wire import FaultError
from daemon.vendors.kareo import failures, wire
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.limiter import IntervalLimiter
from daemon.vendors.kareo.soap import SoapService
from daemon.vendors.ports.errors import Defect, OutcomeUnknown, Refused, Throttled, Unauthorized, Unreachable, VendorError
from tests.integration.kareo import KEY, NOON, PASSWORD, Kareo, changing, kareo_at_work
from tests.integration.test_kareo_client import encounter

NAMES = {"first_name": "Ada", "last_name": "Byrne"}
CASE = {"case": wire.new_case("Standard", "Insurance")}

Call = Callable[[Kareo, KareoClient, int], Awaitable[object]]

READS: dict[str, Call] = {
    "GetPractices": lambda k, c, p: c.get_practices(),
    "GetProviders": lambda k, c, p: c.get_providers(),
    "GetServiceLocations": lambda k, c, p: c.get_service_locations(),
    "GetExternalVendors": lambda k, c, p: c.ensure_external_vendor("chartwire"),
    "GetPatients": lambda k, c, p: c.patients_modified(NOON, NOON),
    "GetAllPatients": lambda k, c, p: anext(c.all_patients()),
    "GetPatient": lambda k, c, p: c.get_patient(p),
    "GetAppointments": lambda k, c, p: c.appointments(NOON, NOON + timedelta(days=1)),
    "GetAppointment": lambda k, c, p: c.get_appointment(61),
    "GetCharges": lambda k, c, p: c.charges_by_batch("b", service_from=NOON.date(), service_to=NOON.date()),
}
WRITES: dict[str, Call] = {
    "RegisterExternalVendor": lambda k, c, p: c.ensure_external_vendor("another"),
    "CreatePatient": lambda k, c, p: c.create_patient(
        wire.PatientWrite(**NAMES), external_id="641", external_vendor_id=next(iter(k.sandbox.vendors)), **CASE
    ),
    "UpdatePatient": lambda k, c, p: c.update_patient(p, changing(**NAMES, city="SECRET")),
    "UpdatePatientsExternalID": lambda k, c, p: c.set_external_id(p, next(iter(k.sandbox.vendors)), "640"),
    "CreateEncounter": lambda k, c, p: c.create_encounter(encounter(k, p)),
}
CALLS = READS | WRITES
LOST = ("cut_before", "cut_after", "status", "html", "garbage", "half", "fault")


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as billing:
        await billing.client.ensure_external_vendor("chartwire")
        yield billing


def silent(error: VendorError, billing: Kareo) -> None:
    """A traceback of it, contexts included, shows neither data nor credentials nor the address."""
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
    for secret in ("SECRET", "Byrne", KEY, PASSWORD, billing.sandbox.url):
        assert secret not in shown


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("operation", CALLS)
async def test_without_a_usable_answer_a_write_is_unknown_and_a_read_can_be_repeated(
    billing: Kareo, operation: str, kind: str
) -> None:
    ada = billing.ada()
    before = billing.asked().count(operation)
    billing.faults.add(operation, kind, times=2)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown if operation in WRITES else Unreachable) as caught:
        await CALLS[operation](billing, billing.client, ada)
    assert caught.value.operation == f"kareo.{operation}"
    assert billing.asked().count(operation) == before + 1, "sent once, whatever the connection's state"
    assert billing.meters[-1] == (f"kareo.{operation}", "outcomeunknown" if operation in WRITES else "unreachable")
    silent(caught.value, billing)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_unknown_means_that_it_may_have_been_done(billing: Kareo, kind: str) -> None:
    ada = billing.ada()
    billing.faults.add("UpdatePatient", kind)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await WRITES["UpdatePatient"](billing, billing.client, ada)
    assert (billing.sandbox.patients[ada].city == "SECRET") == (kind == "cut_after")


@pytest.mark.parametrize(("operation", "error"), [("GetPatient", Unreachable), ("UpdatePatient", OutcomeUnknown)])
async def test_no_answer_in_time(billing: Kareo, operation: str, error: type[VendorError]) -> None:
    billing.faults.add(operation, "delay", seconds=30.0)
    with pytest.raises(error) as caught:
        await CALLS[operation](billing, billing.make(timeout=0.3), billing.ada())
    silent(caught.value, billing)


async def test_what_never_left_can_be_repeated(billing: Kareo) -> None:
    ada = billing.ada()
    async with aiohttp.ClientSession() as session:
        client = billing.make(session=session)
        await billing.sandbox.stop()
        for operation in ("GetPatient", "UpdatePatient"):
            with pytest.raises(Unreachable) as caught:
                await CALLS[operation](billing, client, ada)
            silent(caught.value, billing)


@pytest.mark.parametrize("status", [200, 403, 500, 503])
async def test_a_proxys_page_is_no_answer(billing: Kareo, status: int) -> None:
    billing.faults.add("UpdatePatient", "html", status=status)
    with pytest.raises(OutcomeUnknown):
        await WRITES["UpdatePatient"](billing, billing.client, billing.ada())


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("code", ["DeserializationFailed", "ActionNotSupported"])
async def test_what_the_service_could_not_read_was_not_done_and_is_our_fault(
    billing: Kareo, operation: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = billing.ada()

    def fail(*_: object) -> None:
        raise FaultError(code, "The value 'SECRET' of 'City' could not be found to parse.")

    monkeypatch.setattr(billing.sandbox._dispatcher, "_decode", fail)
    with pytest.raises(Defect) as caught:
        await CALLS[operation](billing, billing.client, ada)
    assert caught.value.vendor_text.startswith(f"Kareo could not read the request ({code}), report it: ")
    assert billing.meters[-1][1] == "defect"
    silent(caught.value, billing)


@pytest.mark.parametrize("code", ["InternalServiceFault", "", "a:Client"])
def test_any_other_fault_leaves_a_write_unknown(code: str) -> None:
    assert type(failures.faulted("UpdatePatient", code, "")) is OutcomeUnknown
    assert type(failures.faulted("GetPatient", code, "")) is Unreachable


async def test_a_message_that_the_wsdl_does_not_allow_is_our_fault(billing: Kareo) -> None:
    with pytest.raises(Defect):
        billing.service.envelope("UpdatePatient", {"Patient": {"NoSuchMember": 1}})


# -- answers that say no ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", sorted(CALLS.keys() - {"GetAppointment"}))
async def test_a_refusal(billing: Kareo, operation: str) -> None:
    billing.faults.add(operation, "refuse")
    with pytest.raises(Refused) as caught:
        await CALLS[operation](billing, billing.client, billing.ada())
    assert type(caught.value) is Refused
    assert caught.value.vendor_text == "The request was refused."


@pytest.mark.parametrize("security", [True, False])
async def test_throttled_is_no_refusal_and_asks_for_twice_the_interval(security: bool) -> None:
    async with kareo_at_work(KareoSwitches(security_on_errors=security)) as billing:
        limiter = IntervalLimiter(0.001)
        billing.faults.add("UpdatePatient", "throttle")
        with pytest.raises(Throttled) as caught:
            await WRITES["UpdatePatient"](billing, billing.make(limiter=limiter), billing.ada())
        assert caught.value.retry_after == 2 * limiter.interval("UpdatePatient")
        assert [one.city for one in billing.sandbox.patients.values()] == [""]
        assert billing.meters[-1] == ("kareo.UpdatePatient", "throttled")


async def test_a_throttled_answer_that_does_not_parse_is_still_understood(
    billing: Kareo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOTES, section 3: such answers broke the parser while the envelope held the message."""
    answer = billing.sandbox._dispatcher._answer
    ada = billing.ada()

    def broken(*args: object, **kwargs: object) -> object:
        made = answer(*args, **kwargs)  # type: ignore[arg-type]
        return type(made)(status=200, body=made.body.replace(b"</s:Body>", b"<"), label=made.label, outcome=made.outcome)

    monkeypatch.setattr(billing.sandbox._dispatcher, "_answer", broken)
    billing.faults.add("UpdatePatient", "throttle")
    with pytest.raises((Throttled, OutcomeUnknown)) as caught:
        await WRITES["UpdatePatient"](billing, billing.client, ada)
    assert type(caught.value) is Throttled


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"user": "x"}, {"customer_key": "x"}])
@pytest.mark.parametrize("operation", ["GetPatients", "GetPatient", "UpdatePatient", "CreateEncounter"])
async def test_credentials_that_are_wrong(billing: Kareo, wrong: dict[str, str], operation: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        await CALLS[operation](billing, billing.make(**wrong), billing.ada())
    silent(caught.value, billing)


@pytest.mark.parametrize("operation", ["CreatePatient", "UpdatePatient", "CreateEncounter"])
async def test_a_success_without_an_id_is_no_success(
    billing: Kareo, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.sandbox.kareo import dispatch

    monkeypatch.setattr(dispatch, "HANDLERS", {**dispatch.HANDLERS, operation: lambda call, values: {}})
    with pytest.raises(OutcomeUnknown):
        await WRITES[operation](billing, billing.client, billing.ada())


async def test_a_page_that_fails_ends_the_traversal(billing: Kareo) -> None:
    """Half a list must never look like a whole one (sweeps infer who is gone)."""
    billing.faults.add("GetAllPatients", "half")
    with pytest.raises(Unreachable):
        async for _ in billing.client.all_patients():
            pass


async def test_cancellation_passes_and_frees_the_turn(billing: Kareo) -> None:
    ada = billing.ada()
    billing.faults.add("GetPatient", "delay", seconds=30.0)
    task = asyncio.create_task(READS["GetPatient"](billing, billing.client, ada))  # type: ignore[arg-type]
    await asyncio.wait({task}, timeout=0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert billing.meters[-1] == ("kareo.GetPatient", "cancelled")
    assert await billing.client.get_patient(ada) is not None


# -- the WSDL ---------------------------------------------------------------------------------------------------------


async def test_the_last_good_wsdl_serves_while_the_address_does_not(billing: Kareo, tmp_path: Path) -> None:
    await SoapService.load(billing.sandbox.wsdl_url, billing.session, tmp_path)
    await billing.sandbox.stop()
    service = await SoapService.load(billing.sandbox.wsdl_url, billing.session, tmp_path)
    assert set(CALLS) <= service.operations
    with pytest.raises(Unreachable):
        await SoapService.load(billing.sandbox.wsdl_url, billing.session, None)


async def test_a_page_is_no_wsdl_and_does_not_replace_the_last_good_one(
    billing: Kareo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no binding: once that ended the thread with StopIteration, which nobody who waits for a thread ever hears of."""
    with pytest.raises(ValueError, match="not a usable WSDL"):
        await asyncio.wait_for(SoapService.load(billing.sandbox.endpoint, billing.session, None), 10)
    good = await SoapService.load(billing.sandbox.wsdl_url, billing.session, tmp_path)
    monkeypatch.setattr(type(billing.sandbox._interface), "served", lambda *_: b"<html><body>back soon</body></html>")
    for _ in range(2):
        assert await asyncio.wait_for(SoapService.load(billing.sandbox.wsdl_url, billing.session, tmp_path), 10) is good
