"""What may be written of each resource: the vendor's lengths and enums (its published openapi.json)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from daemon.sandbox.elation.fields import Field

Table = Mapping[str, Field]

METADATA: Final = Field(
    kind="object",
    fields={
        "object_id": Field(longest=100),
        "object_web_link": Field(longest=200),
        "data": Field(kind="object"),
    },
)

_ADDRESS: Final = Field(
    kind="object",
    fields={
        "address_line1": Field(required=True, null=False, blank=False, longest=200),
        "address_line2": Field(longest=35),
        "city": Field(null=False, longest=50),
        "state": Field(kind="state", null=False),
        "zip": Field(null=False, longest=10),
    },
)

PATIENT: Final[Table] = MappingProxyType(
    {
        "first_name": Field(required=True, null=False, blank=False, longest=70),
        "last_name": Field(required=True, null=False, blank=False, longest=70),
        "sex": Field(required=True, null=False, choices=("Female", "Male", "Other", "Unknown")),
        "dob": Field(kind="date", required=True, null=False),
        "primary_physician": Field(kind="int", required=True, null=False),
        "caregiver_practice": Field(kind="int", required=True, null=False),
        "middle_name": Field(null=False, longest=50),
        "suffix": Field(null=False, longest=20),
        "actual_name": Field(longest=150),
        "ssn": Field(kind="ssn"),
        "phones": Field(
            kind="list",
            null=False,
            fields={
                "phone": Field(required=True, null=False, blank=False, longest=20),
                "phone_type": Field(
                    required=True,
                    null=False,
                    choices=("Fax", "Home", "Main", "Mobile", "Night", "Other", "Work"),
                ),
            },
        ),
        "emails": Field(kind="list", fields={"email": Field(kind="email", required=True, null=False, longest=254)}),
        "address": _ADDRESS,
        "previous_address": _ADDRESS,
        "patient_status": Field(
            kind="object",
            fields={
                "status": Field(null=False, choices=("active", "inactive", "prospect", "deceased")),
                "inactive_reason": Field(
                    choices=("left_good_terms", "left_bad_terms", "practice_ended", "other", "unknown")
                ),
                "deceased_date": Field(kind="date"),
                "notes": Field(),
            },
        ),
        "notes": Field(),
        "tags": Field(kind="list"),
        "vip": Field(kind="bool"),
        "gender_identity": Field(null=False),
        "legal_gender_marker": Field(),
        "pronouns": Field(),
        "race": Field(null=False),
        "ethnicity": Field(null=False),
        "sexual_orientation": Field(null=False),
        "preferred_language": Field(),
        "preferred_service_location": Field(kind="int"),
        "mothers_maiden_name": Field(longest=70),
        "previous_first_name": Field(longest=70),
        "previous_last_name": Field(longest=70),
        "previous_name": Field(kind="object"),
        "emergency_contact": Field(kind="object"),
        "employer": Field(kind="object"),
        "guarantor": Field(kind="object"),
        "preference": Field(kind="object"),
        "metadata": METADATA,
    }
)

APPOINTMENT: Final[Table] = MappingProxyType(
    {
        "scheduled_date": Field(kind="instant", required=True, null=False),
        "patient": Field(kind="int", required=True),
        "physician": Field(kind="int", required=True, null=False),
        "practice": Field(kind="int", required=True, null=False),
        "duration": Field(kind="int", null=False),
        "reason": Field(longest=50),
        "appointment_type_id": Field(kind="int"),
        "description": Field(longest=500),
        "status": Field(
            kind="object",
            fields={
                "status": Field(
                    required=True,
                    null=False,
                    choices=(
                        "Billed",
                        "Cancelled",
                        "Checked In",
                        "Checked Out",
                        "Confirmed",
                        "In Room",
                        "In Room - Vitals Taken",
                        "Not Seen",
                        "Scheduled",
                        "With Doctor",
                    ),
                ),
                "room": Field(),
                "status_detail": Field(),
            },
        ),
        "service_location": Field(kind="int"),
        "mode": Field(null=False, choices=("IN_PERSON", "VIDEO")),
        "time_slot_type": Field(null=False, choices=("appointment", "appointment_slot", "event")),
        "instructions": Field(),
        "billing_details": Field(kind="object"),
        "metadata": METADATA,
    }
)

APPOINTMENT_SET: Final = (
    "status",
    "service_location",
    "patient",
    "physician",
    "practice",
    "scheduled_date",
    "reason",
    "duration",
)
"""What an update must carry where partial ones are refused."""

BILL: Final[Table] = MappingProxyType(
    {
        "ref_number": Field(longest=50),
        "billing_date": Field(kind="instant"),
        "billing_error": Field(longest=200),
        "billing_raw_error": Field(),
        "notes": Field(longest=1000),
        "prior_authorization": Field(longest=50),
        "metadata": METADATA,
    }
)

COMPANY: Final[Table] = MappingProxyType(
    {
        "carrier": Field(required=True, null=False, blank=False, longest=200),
        "practice": Field(kind="int", required=True, null=False),
        "address": Field(null=False, longest=200),
        "suite": Field(longest=40),
        "city": Field(null=False, longest=50),
        "state": Field(kind="state", null=False),
        "zip": Field(null=False, longest=10),
        "phone": Field(longest=20),
        "extension": Field(longest=6),
        "payer_id": Field(longest=200),
        "eligibility_payer_id": Field(longest=200),
        "external_vendor_id": Field(longest=200),
        "aliases": Field(longest=300),
        "insurance_type": Field(
            choices=(
                "Capitated",
                "Commercial",
                "Managed Medicaid",
                "Medicaid",
                "Medicare",
                "Medicare Advantage",
                "Medicare Supplement",
                "Self Pay",
                "Workers Compensation/Third Party Liability",
            )
        ),
        "is_credentialed": Field(kind="bool"),
        "is_enrolled": Field(kind="bool"),
    }
)

PLAN: Final[Table] = MappingProxyType(
    {
        "name": Field(required=True, null=False, blank=False, longest=200),
        "insurance_company": Field(kind="int", required=True, null=False),
        "practice": Field(kind="int", required=True, null=False),
    }
)

POLICY: Final[Table] = MappingProxyType(
    {
        "practice_id": Field(kind="int", required=True, null=False),
        "patient_id": Field(kind="int", required=True, null=False),
        "patient_first_name": Field(required=True, null=False, blank=False),
        "patient_last_name": Field(required=True, null=False, blank=False),
        "patient_dob": Field(kind="date", required=True, null=False),
        "status": Field(required=True, null=False, choices=("active", "inactive")),
        "rank": Field(kind="int", choices=(1, 2, 3)),
        "carrier_id": Field(kind="int"),
        "carrier_name": Field(longest=200),
        "plan_id": Field(kind="int"),
        "plan_name": Field(longest=200),
        "member_id": Field(longest=50),
        "group_id": Field(longest=50),
        "copay": Field(kind="decimal"),
        "deductible": Field(kind="decimal"),
        "start_date": Field(kind="date"),
        "end_date": Field(kind="date"),
        **{
            name: Field(longest=longest)
            for name, longest in {
                "phone": 20,
                "extension": 6,
                "address": 200,
                "suite": 40,
                "city": 50,
                "state": 2,
                "zip": 10,
                "county_code": None,
                "insured_person_first_name": 200,
                "insured_person_last_name": 200,
                "insured_person_address": 200,
                "insured_person_city": 50,
                "insured_person_state": 2,
                "insured_person_zip": 10,
                "insured_person_id": 50,
                "insured_person_dob": 50,
                "insured_person_ssn": 11,
                "insured_person_sex_at_birth": None,
            }.items()
        },
        "relationship_to_insured": Field(choices=("self", "child", "spouse", "other")),
        "payment_program": Field(
            choices=(
                "medicare_part_b",
                "medicare_advantage",
                "medicaid",
                "commercial_hmsa",
                "commercial_sfhp",
                "commercial_other",
                "workers_compensation",
            )
        ),
        "medicare_secondary_code": Field(),
        "front_image_path": Field(),
        "back_image_path": Field(),
        "can_check_eligibility": Field(kind="bool"),
        "is_legacy_insurance": Field(kind="bool"),
    }
)

RESOURCES: Final = (
    "patients",
    "appointments",
    "bills",
    "visit_notes",
    "insurance_companies",
    "insurance_plans",
    "physicians",
    "service_locations",
)
"""What can be subscribed to."""

SUBSCRIPTION: Final[Table] = MappingProxyType(
    {
        "resource": Field(required=True, null=False, choices=RESOURCES),
        "target": Field(kind="url", required=True, null=False),
        "properties": Field(kind="any"),
    }
)

PUBLISHED: Final[Table] = MappingProxyType(
    {
        "status_code": Field(kind="int"),
        "processed_date": Field(kind="instant"),
        "error_content": Field(),
    }
)

PLACES_OF_SERVICE: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "Pharmacy",
        2: "Telehealth Provided Other than in Patient’s Home",
        3: "School",
        4: "Homeless Shelter",
        9: "Prison/Correctional Facility",
        10: "Telehealth Provided in Patient’s Home",
        11: "Office",
        12: "Home",
        13: "Assisted Living Facility",
        14: "Group Home",
        15: "Mobile Unit",
        16: "Temporary Lodging",
        17: "Walk-in Retail Health Clinic",
        18: "Place of Employment-Worksite",
        19: "Off Campus Outpatient-Hospital",
        20: "Urgent Care Facility",
        21: "Inpatient Hospital",
        22: "On Campus-Outpatient Hospital",
        23: "Emergency Room - Hospital",
        24: "Ambulatory Surgical Center",
        25: "Birthing Center",
        31: "Skilled Nursing Facility",
        32: "Nursing Facility",
        33: "Custodial Care Facility",
        34: "Hospice",
        49: "Independent Clinic",
        50: "Federally Qualified Health Center",
        60: "Mass Immunization Center",
        71: "Public Health Clinic",
        72: "Rural Health Clinic",
        81: "Independent Laboratory",
        99: "Other Place of Service",
    }
)
