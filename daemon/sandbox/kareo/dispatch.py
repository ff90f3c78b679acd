"""One call from bytes to bytes: which operation, whether it may, what it does, and how that is answered."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.sandbox.kareo import (
    operations_appointments,
    operations_directory,
    operations_encounters,
    operations_patients,
    wire,
)
from daemon.sandbox.kareo.calling import Call, Handler
from daemon.sandbox.kareo.faults import Fault
from daemon.sandbox.kareo.limits import Limits
from daemon.sandbox.kareo.records import Customer
from daemon.sandbox.kareo.state import State
from daemon.sandbox.kareo.switches import KareoSwitches
from daemon.sandbox.kareo.wire import FaultError, RefusedError, Values
from daemon.sandbox.kareo.wsdl import ACTION_PREFIX, API, Interface, Operation

HANDLERS: Mapping[str, Handler] = {
    **operations_directory.OPERATIONS,
    **operations_patients.OPERATIONS,
    **operations_appointments.OPERATIONS,
    **operations_encounters.OPERATIONS,
}

NO_REFERENCE = "Object reference not set to an instance of an object."
"""For a missing or nil Filter, Fields, Patient, ...."""

NOBODY = "unknown"
"""The label of calls whose customer key nobody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`outcome`: done, refused, throttled, unauthorized or fault."""

    status: int
    body: bytes
    label: str
    outcome: str


class Dispatcher:
    """Carries out calls on the state, within the limits."""

    def __init__(self, interface: Interface, state: State, switches: KareoSwitches, limits: Limits) -> None:
        self._interface = interface
        self._state = state
        self._switches = switches
        self._limits = limits

    def operation(self, action: str) -> Operation:
        """By SOAPAction, quoted or not. Raises `FaultError` for one that is not served."""
        name = action.strip().strip('"')
        found = self._interface.operations.get(name.removeprefix(ACTION_PREFIX))
        if found is None or found.action != name:
            raise FaultError(
                "ActionNotSupported",
                "The message cannot be processed at the receiver, due to a ContractFilter mismatch at the EndpointDispatcher.",
            )
        return found

    def carry_out(self, operation: Operation, request: bytes, planned: Fault | None = None) -> Answer:
        """Of planned faults, those that the service itself would answer with are made here: refuse, throttle and fault."""
        label = NOBODY
        try:
            values = self._decode(operation, request)
            header: Values = values.get("RequestHeader") or {}
            customer = self._state.customers.get(header.get("CustomerKey", ""))
            if customer is not None:
                label = customer.label
            if planned is not None and planned.kind == "fault":
                raise FaultError("InternalServiceFault", "The server was unable to process the request.")
            if planned is not None and planned.kind == "throttle":
                return self._answer(operation, label, customer, "throttled", error=_too_often(operation))
            if customer is not None and not self._limits.allow(label, operation.name):
                return self._answer(operation, label, customer, "throttled", error=_too_often(operation))
            if customer is None or not _knows(customer, header):
                return self._answer(operation, label, customer, "unauthorized", denied=True)
            if planned is not None and planned.kind == "refuse":
                raise RefusedError("The request was refused.")
            if any(name not in values for name in self._members(operation) if name != "RequestHeader"):
                raise RefusedError(NO_REFERENCE)
            call = Call(state=self._state, switches=self._switches, customer=customer, now=self._state.now())
            result = HANDLERS[operation.name](call, values)
            return self._answer(operation, label, customer, "done", result=result)
        except RefusedError as refused:
            return self._answer(operation, label, customer, "refused", error=str(refused))
        except FaultError as error:
            return Answer(status=500, body=wire.fault(error), label=label, outcome="fault")
        except OverflowError:
            out_of_range = FaultError("InternalServiceFault", "A date is out of range.")
            return Answer(status=500, body=wire.fault(out_of_range), label=label, outcome="fault")

    def _members(self, operation: Operation) -> Mapping[str, object]:
        return self._interface.complexes[operation.parameter.type].by_name

    def _decode(self, operation: Operation, request: bytes) -> Values:
        body = wire.body_of(request)
        if body.tag != f"{{{API}}}{operation.name}":
            raise FaultError("DeserializationFailed", f"Expecting element '{operation.name}'.")
        parameter = body.find(operation.parameter.tag)
        if parameter is None or parameter.get(wire.NIL) in ("true", "1"):
            raise FaultError("InternalServiceFault", "The server was unable to process the request.")
        return wire.decode(self._interface, operation.parameter.type, parameter)

    def _answer(
        self,
        operation: Operation,
        label: str,
        customer: Customer | None,
        outcome: str,
        *,
        result: Values | None = None,
        error: str | None = None,
        denied: bool = False,
    ) -> Answer:
        """The result type's own members, under the two that every answer has."""
        values: Values = dict(result or {})
        values["ErrorResponse"] = {"ErrorMessage": error, "IsError": error is not None, "StackTrace": None}
        values["SecurityResponse"] = self._security(customer, denied)
        if error is not None and not self._switches.security_on_errors:
            values["SecurityResponse"] = None
        body = wire.encode(
            self._interface, operation.name + "Response", operation.result, values, additions=self._switches.unknown_members
        )
        return Answer(status=200, body=body, label=label, outcome=outcome)

    def _security(self, customer: Customer | None, denied: bool) -> Values:
        practices = [] if customer is None or denied else [one.id for one in self._state.practices_of(customer)]
        return {
            "Authenticated": not denied,
            "Authorized": not denied,
            "CustomerId": 0 if customer is None or denied else customer.id,
            "CustomerKeyValid": customer is not None,
            "PermissionsMissing": None,
            "PracticesAuthorized": {"PracticeID": practices},
            "SecurityResult": "Invalid user name and/or password" if denied else None,
            "SecurityResultSuccess": not denied,
        }


def _too_often(operation: Operation) -> str:
    return f"The {operation.name} endpoint requested more than allowed. Try again later."


def _knows(customer: Customer, header: Values) -> bool:
    expected = customer.users.get(header.get("User", ""))
    given = header.get("Password", "")
    return expected is not None and hmac.compare_digest(expected.encode(), given.encode())
