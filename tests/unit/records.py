"""The records of a practice on paper, as its two systems hold them: its providers, Ada, her policy, her bill."""

from __future__ import annotations

from datetime import date

from events.ids import BillingPatientId, EhrChartId, PatientKey
from events.records import (
    BillingCase,
    BillingChart,
    BillingPolicy,
    BillLine,
    Carrier,
    EhrBill,
    EhrChart,
    Phone,
    Plan,
    Provider,
)

GREY, HOUSE = 11, 12
KAREO_GREY, KAREO_HOUSE, KAREO_LOCUM = 501, 502, 509
MAIN_STREET, KAREO_MAIN_STREET = 21, 601

PHYSICIANS = (
    Provider(id=GREY, first_name="Meredith", last_name="Grey", npi="1000000004"),
    Provider(id=HOUSE, first_name="Gregory", last_name="House", npi="1000000012"),
)
PROVIDERS = (
    Provider(id=KAREO_GREY, first_name="Meredith", last_name="Grey", full_name="Meredith Grey, MD", npi="1000000004"),
    Provider(id=KAREO_HOUSE, first_name="Gregory", last_name="House", full_name="Gregory House, MD", npi="1000000012"),
    Provider(id=KAREO_LOCUM, first_name="Lou", last_name="Locum", full_name="Lou Locum, NP", npi="1000000020"),
)

ADA = EhrChart(
    id=EhrChartId(101),
    first_name="Ada",
    middle_name="King",
    last_name="Byron",
    birth_date=date(1985, 12, 10),
    sex="Female",
    phones=(Phone(kind="Home", number="7062233445"),),
    emails=("ada@example.org",),
    address1="1 Main Street",
    address2="Suite 4",
    city="Augusta",
    state="GA",
    zip="30901",
    physician=GREY,
)
ADA_THERE = BillingChart(
    id=BillingPatientId(901),
    first_name="Ada",
    middle_name="King",
    last_name="Byron",
    birth_date=date(1985, 12, 10),
    sex="Female",
    home_phone="(706) 223-3445",
    email="ada@example.org",
    address1="1 Main Street",
    address2="Suite 4",
    city="Augusta",
    state="GA",
    zip="30901",
    provider=KAREO_GREY,
    cases=(BillingCase(id=71, name="Primary", is_primary=True),),
)
ADA_KEY = PatientKey("K:901")

BLUE = BillingPolicy(
    id=3001,
    company_id="40",
    company_name="Blue Cross",
    plan_id="50",
    plan_name="Blue Gold PPO",
    plan_address1="9 Payer Plaza",
    plan_address2="Floor 2",
    plan_city="Atlanta",
    plan_state="Georgia",
    plan_zip="303030001",
    plan_phone="(404) 555-0100",
    number="XYZ123",
    group="G-77",
    copay="20",
    deductible="$1,500.00",
    relationship="S",
)
BLUE_CARRIER = Carrier(
    id=8001,
    name="Blue Cross",
    external_id="40",
    address1="9 Payer Plaza",
    address2="Floor 2",
    city="Atlanta",
    state="GA",
    zip="30303-0001",
    phone="4045550100",
)
BLUE_PLAN = Plan(id=8101, name="Blue Gold PPO", carrier=8001)

GOOD_BILL = EhrBill(
    id=4001,
    patient=ADA.id,
    visit_note=5001,
    signed=True,
    status="Unbilled",
    service_day=date(2026, 3, 2),
    location=MAIN_STREET,
    location_name="Main Street",
    place_of_service="11",
    rendering_provider=GREY,
    physician=GREY,
    lines=(BillLine(cpt="99213", modifiers=("25",), dxs=("E11.9", "I10"), units="1.0", unit_charge="120.00"),),
    notes="Please post today",
)
