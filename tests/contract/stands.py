"""The vendors' sandboxes as the contract suite stands before them (`vendor_case.Stand`)."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from daemon.sandbox.clinic import write_private
from daemon.sandbox.elation import ElationSandbox
from daemon.sandbox.kareo import KareoSandbox
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.section import KareoConfig
from events.ids import BillingPatientId, EhrChartId
from events.writes import CreateBillingChart, CreateEhrChart, UpdateBillingChart, UpdateEhrChart
from tests.third.ledger.section import LedgerConfig
from tests.third.sandbox import LedgerSandbox

BORN = "1980-12-10"


def fields(first: str, last: str) -> dict[str, str]:
    return {"first_name": first, "last_name": last, "birth_date": BORN, "sex": "Female"}


class ElationStand:
    """The chart side."""

    def __init__(self) -> None:
        self.sandbox = ElationSandbox()
        self.practice = int(self.sandbox.add_practice("Elm Clinic")["id"])
        self.doctor = int(self.sandbox.add_physician(self.practice, first_name="Maria", last_name="Lopez")["id"])
        self.sandbox.add_credential("client", "secret", practices=[self.practice])

    async def start(self, folder: Path) -> None:
        await self.sandbox.start()
        write_private(folder / "client-secret", "secret")

    async def stop(self) -> None:
        await self.sandbox.stop()

    @property
    def section(self) -> ElationConfig:
        return ElationConfig(
            base_url=self.sandbox.url,
            client_id="client",
            client_secret_file="client-secret",
            practice_id=self.practice,
            catch_up_seconds=0.1,
            sweep_seconds=0.2,
            webhooks=False,
        )

    def astray(self, port: int) -> ElationConfig:
        return replace(self.section, base_url=f"http://127.0.0.1:{port}")

    def make_person(self, first: str, last: str) -> int:
        return int(self.sandbox.people.create_patient(self.practice, first, last, "Female", BORN)["id"])

    def people(self) -> dict[int, tuple[str, str]]:
        return {id_: (one["first_name"], one["last_name"]) for id_, one in self.sandbox.patients.items()}

    def creation(self, first: str, last: str) -> CreateEhrChart:
        return CreateEhrChart(
            billing=BillingPatientId(501), fields=fields(first, last), physician=self.doctor, link_hint="kareo-patient:501"
        )

    def update(self, id_: int, *, expected: str, first: str) -> UpdateEhrChart:
        return UpdateEhrChart(chart=EhrChartId(id_), fields={"first_name": first}, expected={"first_name": expected})


class BillingWrites:
    """The writes of the billing side, whoever plays it."""

    def creation(self, first: str, last: str) -> CreateBillingChart:
        return CreateBillingChart(
            ehr=EhrChartId(140),
            fields=fields(first, last),
            external_id="elation-140",
            case_name="Primary",
            payer_scenario="Self Pay",
        )

    def update(self, id_: int, *, expected: str, first: str) -> UpdateBillingChart:
        return UpdateBillingChart(
            patient=BillingPatientId(id_), fields={"first_name": first}, expected={"first_name": expected}
        )


class KareoStand(BillingWrites):
    """The billing side; nothing waits for the published limits."""

    def __init__(self) -> None:
        self.sandbox = KareoSandbox(limits=False)
        self.sandbox.add_customer("k3y", "robot@elm", "s3cret")
        self.practice = self.sandbox.add_practice("k3y", "Elm Clinic").id

    async def start(self, folder: Path) -> None:
        await self.sandbox.start()
        write_private(folder / "customer-key", "k3y")
        write_private(folder / "password", "s3cret")

    async def stop(self) -> None:
        await self.sandbox.stop()

    @property
    def section(self) -> KareoConfig:
        return KareoConfig(
            wsdl=self.sandbox.wsdl_url,
            endpoint=self.sandbox.endpoint,
            customer_key_file="customer-key",
            user="robot@elm",
            password_file="password",
            practice_name="Elm Clinic",
            poll_seconds=0.1,
            sweep_seconds=0.2,
            directory_seconds=0.2,
            limits={"scale": 0.0},
        )

    def astray(self, port: int) -> KareoConfig:
        return replace(self.section, wsdl=f"http://127.0.0.1:{port}/wsdl", endpoint=f"http://127.0.0.1:{port}/")

    def make_person(self, first: str, last: str) -> int:
        return self.sandbox.people.create_patient(self.practice, first, last, dob=BORN).id

    def people(self) -> dict[int, tuple[str, str]]:
        return {id_: (one.first_name, one.last_name) for id_, one in self.sandbox.patients.items()}


class LedgerStand(BillingWrites):
    """The invented third."""

    def __init__(self) -> None:
        self.sandbox = LedgerSandbox("l3dg3r")

    async def start(self, folder: Path) -> None:
        await self.sandbox.start()
        write_private(folder / "ledger-key", "l3dg3r")

    async def stop(self) -> None:
        await self.sandbox.stop()

    @property
    def section(self) -> LedgerConfig:
        return LedgerConfig(base_url=self.sandbox.url, key_file="ledger-key", poll_seconds=0.1)

    def astray(self, port: int) -> LedgerConfig:
        return replace(self.section, base_url=f"http://127.0.0.1:{port}")

    def make_person(self, first: str, last: str) -> int:
        return self.sandbox.open_account(given=first, family=last, born=BORN)

    def people(self) -> dict[int, tuple[str, str]]:
        return {id_: (one["given"], one["family"]) for id_, one in self.sandbox.accounts.items()}
