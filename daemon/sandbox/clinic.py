"""A rehearsal: practices in both sandboxes, with the configuration that points the daemon at them."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import aiohttp

from daemon.sandbox.elation import ElationSandbox, ElationSwitches
from daemon.sandbox.kareo import KareoSandbox, KareoSwitches

NAMES = (("elm", "Elm Street Family Medicine", "America/Denver"), ("oak", "Oak Hill Internal Medicine", "America/New_York"))
OTHERS = (("ash", "Ash Grove Pediatrics", "America/Chicago"), ("fir", "Fir Lane Clinic", "America/Denver"))
"""Practices with the other profile, `elation-led`."""
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
DOCTORS = (("Maria", "Lopez", "1003000126"), ("Samuel", "Okafor", "1003000134"), ("Ingrid", "Nyberg", ""))
CODES = ("99202", "99203", "99212", "99213", "99214", "99215", "93000", "36415", "81002", "90471", "G0439", "J3420")
CONFIG = "chartwire.toml"

SERVERS = """
[postgres]
dsn = "{dsn}"
migrate_dsn = "{migrate_dsn}"

[kafka]
bootstrap_servers = "{bootstrap_servers}"
partitions = {partitions}
idempotent = false
session_timeout_seconds = 6

[keys]
directory = "keys"

[http]
listen = "{listen}"
public_url = "http://{listen}"

[pace]
first_pause = 0.1
longest_pause = 2.0
looks = [0.2, 1.0]
patience = 20
"""


@dataclass
class Office:
    """One practice as both systems know it. `physicians` and `providers` are the same people, in the same order."""

    id: str
    name: str
    time_zone: str
    ehr: int = 0
    billing: int = 0
    customer_key: str = ""
    physicians: list[int] = field(default_factory=list)
    providers: list[int] = field(default_factory=list)
    locum: int = 0
    place: tuple[int, int] = (0, 0)
    annex: int = 0
    profile: str = "kareo-led"
    books: bool = False
    """Whether appointments go from Elation to Kareo: chartwire's own extension."""

    @property
    def both_ways(self) -> bool:
        """Whether insurance goes both ways, and appointments nowhere."""
        return self.profile == "elation-led"


class Clinic:
    """Both sandboxes and their practices. `limits_scale` multiplies Kareo's published intervals, here and in the
    configuration; `seconds` is how often the daemon polls and sweeps. `now`, `clock` and `session` are the sandboxes'. Beside
    `offices` of the profile kareo-led there are `both_ways` of the other one, with appointments from Elation where one `books`."""

    def __init__(
        self,
        *,
        limits_scale: float = 0.04,
        seconds: float = 0.5,
        now: Callable[[], datetime] | None = None,
        clock: Callable[[], float] = time.monotonic,
        session: Callable[..., aiohttp.ClientSession] = aiohttp.ClientSession,
        ehr: ElationSwitches | None = None,
        billing: KareoSwitches | None = None,
        offices: int = 2,
        both_ways: int = 0,
        books: bool = False,
    ) -> None:
        self.ehr = ElationSandbox(now=now, switches=ehr or ElationSwitches(), session=session)
        self.billing = KareoSandbox(now=now, switches=billing or KareoSwitches(), limits_scale=limits_scale, clock=clock)
        self.limits_scale = limits_scale
        self.seconds = seconds
        more = [(f"p{n:03d}", f"Practice {n:03d}", ZONES[n % len(ZONES)]) for n in range(len(NAMES), offices)]
        self.offices = [self._open(*name) for name in (*NAMES, *more)[:offices]]
        self.offices += [self._open(*name, profile="elation-led") for name in OTHERS[:both_ways]]
        for office in self.offices[offices:]:
            office.books = books

    async def start(self) -> None:
        await self.ehr.start()
        await self.billing.start()

    async def stop(self) -> None:
        await self.ehr.stop()
        await self.billing.stop()

    def _open(self, id_: str, name: str, time_zone: str, profile: str = "kareo-led") -> Office:
        """A practice with three doctors whom both systems know (one without an NPI: mapped by name), a locum whom only
        Kareo knows, a place that both know and an annex that only Elation knows."""
        office = Office(id_, name, time_zone, customer_key=f"key-{id_}", profile=profile)
        office.ehr = int(self.ehr.add_practice(name=name, time_zone=time_zone)["id"])
        self.ehr.add_credential(f"client-{id_}", f"secret-{id_}", practices=[office.ehr])
        self.billing.add_customer(office.customer_key, f"sync@{id_}.example", f"password-{id_}")
        office.billing = self.billing.add_practice(office.customer_key, name).id
        for first, last, npi in DOCTORS:
            number = f"{npi[:-1]}{len(id_)}" if npi else ""
            physician = self.ehr.add_physician(office.ehr, first_name=first, last_name=last, npi=number)
            office.physicians.append(int(physician["id"]))
            provider = self.billing.add_provider(office.billing, first_name=first, last_name=last, degree="MD", npi=number)
            office.providers.append(provider.id)
        office.locum = self.billing.add_provider(
            office.billing, first_name="Pat", last_name="Locum", degree="DO", npi="1003000999"
        ).id
        here = self.ehr.add_service_location(office.ehr, name="Main Office", place_of_service_code=11)
        there = self.billing.add_service_location(office.billing, name="Main Office")
        office.place = int(here["id"]), there.id
        annex = self.ehr.add_service_location(office.ehr, name="Annex", place_of_service_code=11)
        office.annex = int(annex["id"])
        for code in CODES:
            self.billing.add_procedure_code(office.customer_key, code, f"Procedure {code}")
        return office

    def write_config(
        self,
        folder: Path,
        *,
        dsn: str,
        bootstrap_servers: str,
        listen: str,
        partitions: int = 4,
        migrate_dsn: str = "",
        metrics: str = "",
        console: tuple[str, str] | None = None,
    ) -> Path:
        """The daemon's configuration, secrets and keys in `folder`; returns the file. `console` is its dsn and where it listens."""
        (folder / "keys").mkdir(parents=True, exist_ok=True)
        for office in self.offices:
            key = folder / "keys" / f"{office.id}.1.key"
            if not key.exists():
                write_private(key, base64.b64encode(os.urandom(32)).decode())
            secrets = {
                "elation": f"secret-{office.id}",
                "kareo-key": office.customer_key,
                "kareo-password": f"password-{office.id}",
            }
            for name, secret in secrets.items():
                write_private(folder / f"{office.id}.{name}", secret)
        text = SERVERS.format(
            dsn=dsn,
            migrate_dsn=migrate_dsn or dsn,
            bootstrap_servers=bootstrap_servers,
            partitions=partitions,
            listen=listen,
        )
        if metrics:
            text += f'\n[metrics]\nlisten = "{metrics}"\n'
        if console is not None:
            text += f'\n[console]\ndsn = "{console[0]}"\nlisten = "{console[1]}"\n'
        file = folder / CONFIG
        file.write_text(text + "".join(self._practice_config(office) for office in self.offices))
        return file

    def _practice_config(self, office: Office) -> str:
        """Versions from before the extension take it where no practice books."""
        calendar = f"calendar_seconds = {self.seconds * 4}\ncalendar_sweep_seconds = {self.seconds * 8}"
        return f"""
[[practice]]
id = "{office.id}"
name = "{office.name}"
time_zone = "{office.time_zone}"
profile = "{office.profile}"

[practice.overrides]
payer_scenario = "Insurance"
{'appointment = "elation->kareo"' if office.books else ""}

[practice.elation]
base_url = "{self.ehr.url}"
client_id = "client-{office.id}"
client_secret_file = "{office.id}.elation"
practice_id = {office.ehr}
catch_up_seconds = {self.seconds * 4}
sweep_seconds = {self.seconds * 8}
{calendar if office.books else ""}

[practice.kareo]
wsdl = "{self.billing.wsdl_url}"
endpoint = "{self.billing.endpoint}"
customer_key_file = "{office.id}.kareo-key"
user = "sync@{office.id}.example"
password_file = "{office.id}.kareo-password"
practice_name = "{office.name}"
poll_seconds = {self.seconds}
sweep_seconds = {self.seconds * 4}
directory_seconds = {self.seconds * 20}
appointment_days_ahead = 60
limits = {{ scale = {self.limits_scale} }}
"""


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else on the machine can read."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
