"""Practices, providers, service locations, procedure codes and external vendors."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.sandbox.kareo.calling import Call, Handler, only
from daemon.sandbox.kareo.records import Vendor
from daemon.sandbox.kareo.values import flag, phone
from daemon.sandbox.kareo.wire import RefusedError, Values

EXTERNAL_ID_LENGTH = 25
"""External ids are cut to this in silence."""


def get_practices(call: Call, request: Values) -> Values:
    filter_ = request["Filter"]
    rows: list[Values] = []
    for one in call.practices(filter_.get("PracticeName"), filter_.get("ID")):
        shown = {
            "Active": flag(one.active),
            "CreatedDate": call.stamp(one.created),
            "Email": one.email or None,
            "ID": str(one.id),
            "LastModifiedDate": call.stamp(one.modified),
            "NPI": one.npi or None,
            "Phone": phone(one.phone),
            "PracticeAddressLine1": one.address1 or None,
            "PracticeAddressLine2": one.address2 or None,
            "PracticeCity": one.city or None,
            "PracticeName": one.name,
            "PracticeState": one.state or None,
            "PracticeZipCode": one.zip or None,
            "TaxID": one.tax_id or None,
        }
        if all(only(filter_, name, shown[name]) for name in ("NPI", "TaxID", "Active")) and call.within(
            filter_, one.created, one.modified
        ):
            rows.append(shown)
    return {"Practices": call.rows(request, rows)}


def get_providers(call: Call, request: Values) -> Values:
    filter_ = request["Filter"]
    practices = {one.id: one for one in call.practices(filter_.get("PracticeName"), filter_.get("PracticeID"))}
    rows: list[Values] = []
    for one in call.state.providers.values():
        if (
            one.practice_id not in practices
            or not call.name_matches(filter_.get("FullName"), one.full_name)
            or not only(filter_, "Type", one.type)
            or filter_.get("DepartmentName")
            or not call.within(filter_, one.created, one.modified)
        ):
            continue
        rows.append(
            {
                "Active": flag(one.active),
                "CreatedDate": call.stamp(one.created),
                "Degree": one.degree or None,
                "FirstName": one.first_name,
                "FullName": one.full_name,
                "ID": str(one.id),
                "LastModifiedDate": call.stamp(one.modified),
                "LastName": one.last_name,
                "MiddleName": one.middle_name or None,
                "NationalProviderIdentifier": one.npi or None,
                "PracticeID": str(one.practice_id),
                "PracticeName": practices[one.practice_id].name,
                "Type": one.type,
            }
        )
    return {"Providers": call.rows(request, rows)}


def get_service_locations(call: Call, request: Values) -> Values:
    filter_ = request["Filter"]
    practices = {one.id: one for one in call.practices(filter_.get("PracticeName"), filter_.get("PracticeID"))}
    rows: list[Values] = []
    for one in call.state.locations.values():
        if (
            one.practice_id not in practices
            or not only(filter_, "ID", one.id)
            or not call.within(filter_, one.created, one.modified)
        ):
            continue
        rows.append(
            {
                "AddressLine1": one.address1 or None,
                "AddressLine2": one.address2 or None,
                "BillingName": one.name,
                "City": one.city or None,
                "CreatedDate": call.stamp(one.created),
                "ID": str(one.id),
                "ModifiedDate": call.stamp(one.modified),
                "NPI": one.npi or None,
                "Name": one.name,
                "Phone": phone(one.phone),
                "PlaceOfService": one.place_of_service,
                "PracticeID": str(one.practice_id),
                "PracticeName": practices[one.practice_id].name,
                "State": one.state or None,
                "ZipCode": one.zip or None,
            }
        )
    return {"ServiceLocations": call.rows(request, rows)}


def get_procedure_codes(call: Call, request: Values) -> Values:
    """Of the customer. `Active` and `CustomerSpecific` cannot be nil: absent is false, which is taken as "all"."""
    filter_ = request["Filter"]
    rows: list[Values] = []
    for one in call.state.procedure_codes.values():
        if (
            one.customer_key != call.customer.key
            or not only(filter_, "ID", one.id)
            or not only(filter_, "ProcedureCode", one.code)
            or (filter_.get("Active") and not one.active)
            or (filter_.get("CustomerSpecific") and not one.customer_specific)
            or not call.within(filter_, one.created, one.modified)
        ):
            continue
        rows.append(
            {
                "Active": flag(one.active),
                "BillableCode": one.code,
                "CreatedDate": call.stamp(one.created),
                "CustomerSpecific": flag(one.customer_specific),
                "DefaultUnits": "1",
                "ID": str(one.id),
                "LocalName": one.name,
                "ModifiedDate": call.stamp(one.modified),
                "OfficialName": one.name,
                "ProcedureCode": one.code,
            }
        )
    return {"ProcedureCodes": call.rows(request, rows)}


def get_external_vendors(call: Call, request: Values) -> Values:
    rows: list[Values] = [
        {"ExternalVendorID": one.id, "ExternalVendorName": one.name}
        for one in call.state.vendors.values()
        if one.customer_key == call.customer.key
    ]
    return {"ExternalVendors": call.rows(request, rows)}


def register_external_vendor(call: Call, request: Values) -> Values:
    """A name twice gives the vendor that is there."""
    name = (request.get("ExternalVendor") or {}).get("ExternalVendorName")
    if not name:
        raise RefusedError("The external vendor name is required.")
    state = call.state
    vendor = next((one for one in state.vendors.values() if (one.customer_key, one.name) == (call.customer.key, name)), None)
    if vendor is None:
        vendor = Vendor(id=state.new_id("vendors"), customer_key=call.customer.key, name=name)
        state.vendors[vendor.id] = vendor
    return {"ExternalVendor": {"ExternalVendorID": vendor.id, "ExternalVendorName": vendor.name}}


def update_patients_external_id(call: Call, request: Values) -> Values:
    """All or nothing; `ItemsUpdated` is empty even on success."""
    settings: list[Values] = request["Updates"].get("UpdateBatch", []) if request.get("Updates") else []
    for one in settings:
        patient = call.state.patient_of(call.customer, one.get("patientID"))
        if patient is None or patient.practice_id != one.get("practiceID"):
            raise RefusedError("Could not find the patient in the practice.")
        check_external_id(call, one.get("externalVendorID"), one.get("externalID"), patient.id)
    for one in settings:
        set_external_id(call, one["externalVendorID"], one["externalID"], one["patientID"])
    return {"ItemsUpdated": []}


def check_external_id(call: Call, vendor_id: int | None, external_id: str | None, patient_id: int | None) -> None:
    """Raises `RefusedError` for an unknown vendor, an empty id, or an id of the vendor that another patient has."""
    vendor = call.state.vendors.get(vendor_id or 0)
    if vendor is None or vendor.customer_key != call.customer.key:
        raise RefusedError("Could not find the external vendor.")
    if not external_id:
        raise RefusedError("The external id is required.")
    cut = external_id[:EXTERNAL_ID_LENGTH]
    if vendor.ids.get(cut, patient_id) != patient_id or (patient_id is None and cut in vendor.ids):
        raise RefusedError(
            f"Violation of UNIQUE KEY constraint 'UX_ExternalPatient'. The duplicate value is ({vendor.id}, {cut})."
        )


def set_external_id(call: Call, vendor_id: int, external_id: str, patient_id: int) -> None:
    """One id per vendor and patient: a new one takes the place of the old."""
    ids = call.state.vendors[vendor_id].ids
    for old in [key for key, owner in ids.items() if owner == patient_id]:
        del ids[old]
    ids[external_id[:EXTERNAL_ID_LENGTH]] = patient_id


OPERATIONS: Mapping[str, Handler] = {
    "GetPractices": get_practices,
    "GetProviders": get_providers,
    "GetServiceLocations": get_service_locations,
    "GetProcedureCodes": get_procedure_codes,
    "GetExternalVendors": get_external_vendors,
    "RegisterExternalVendor": register_external_vendor,
    "UpdatePatientsExternalID": update_patients_external_id,
}
