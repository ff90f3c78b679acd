"""The guide from nothing: each of its blocks, from its own text and in its order, in a bare Debian; then the service is there and works.

What is not the guide's: systemd is stood in for (`systemctl` here), the vendors are chartwire's sandboxes, and the certificate of the
guide's own authority is trusted by them, as a public one would be.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.config import load
from daemon.vendors.sections import SECTIONS
from tests.packages.conftest import ROOT, Built
from tests.packages.guide import GUIDE, blocks, heredoc
from tests.packages.roots import DEBIAN, bare
from tests.packages.session import Session
from tests.packages.test_debian import building, package

LEFT_OUT = 3
"""Blocks that nothing on one machine without a public name can run. Only ever gets smaller."""

STAND_IN = Path(__file__).with_name("systemctl")
PORTS = (443, 5432, 8440, 8450, 8501, 8502, 9090, 9092, 9093, 9464)
SECRETS = "secret-elm\nkey-elm\npassword-elm\n"
SANDBOX = "chartwire sandbox --elation-port 8501 --kareo-port 8502 --limits-scale 0.04"


def test_blocks_are_left_out_for_a_reason_and_not_more_than_now() -> None:
    found = [one for one in blocks() if one.kind == "sh"]
    assert len(found) >= 20
    assert len([one for one in found if one.why]) == LEFT_OUT
    assert {one.step for one in found if not one.why} == set(range(1, 11))
    assert GUIDE.read_text().count("<!-- left out:") == LEFT_OUT


def test_each_block_is_a_script_that_bash_takes() -> None:
    for one in blocks():
        if one.kind == "sh":
            done = subprocess.run(["bash", "-n"], input=one.text, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), f"deploy/README.md:{one.line}"


def test_the_configuration_of_the_guide_loads(tmp_path: Path) -> None:
    file = tmp_path / "chartwire.toml"
    file.write_text(heredoc("/chartwire.toml"))
    for name in ("keys", "secrets"):
        (tmp_path / name).mkdir()
    for name in ("elm-street-elation", "kareo-key", "kareo-password"):
        (tmp_path / "secrets" / name).write_text("secret")
        (tmp_path / "secrets" / name).chmod(0o640)
    found = load(file, SECTIONS)
    assert [one.id for one in found.practice] == ["elm-street"]
    assert found.practice[0].mode == "observe"


def test_what_the_guide_takes_from_the_package_is_in_the_package() -> None:
    named = set(re.findall(r"/usr/share/doc/chartwire/([\w./-]+)", GUIDE.read_text()))
    assert len(named) >= 4
    assert [one for one in named if not (ROOT / "deploy" / one).is_file()] == []


# -- in a bare root -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=sorted(DEBIAN))
def service(request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A root where the guide was followed to its end."""
    folder = tmp_path_factory.mktemp("guide")
    builder = building(request.param, built, folder / "builder")
    root = bare(request.param, folder / "root")
    root.put(package(builder, "/out"), "/root/")
    root.put(STAND_IN, "/usr/local/sbin/systemctl")
    with Session(root) as session:
        session.free(PORTS)
        for one in blocks():
            if one.kind == "sh" and not one.why:
                for before, act in BEFORE:
                    if before in one.text:
                        act(session)
                session.run(one.text, name=f"deploy/README.md:{one.line}", answers=SECRETS)
        yield session
    subprocess.run(["rm", "-rf", str(folder)], check=False)


def sandboxes(session: Session) -> None:
    """The vendors that the configuration names are the sandboxes; who is to be found there is one patient in Kareo."""
    session.run(f"""
        mkdir -p /tmp/rehearsal && chown chartwire /tmp/rehearsal
        setsid runuser -u chartwire -- {SANDBOX} --write-config /tmp/rehearsal > /tmp/sandbox.log 2>&1 < /dev/null &
        until grep -q '^configuration: ' /tmp/sandbox.log; do sleep 0.2; done
    """)
    written = tomllib.loads((session.root.folder / "tmp/rehearsal/chartwire.toml").read_text())
    elm = next(one for one in written["practice"] if one["id"] == "elm")
    file = session.root.folder / "etc/chartwire/chartwire.toml"
    text = file.read_text()
    for section, names in (("elation", ("base_url", "client_id", "practice_id")), ("kareo", ("wsdl", "endpoint", "user"))):
        for name in names:
            value = json.dumps(elm[section][name])
            text, number = re.subn(rf"^{name} = .*$", lambda _, line=f"{name} = {value}": line, text, flags=re.MULTILINE)
            assert number == 1, name
    file.write_text(text + "limits = { scale = 0.04 }\npoll_seconds = 1\nsweep_seconds = 2\n")
    billing = elm["kareo"]["endpoint"].split("/services")[0]
    dump = json.loads(session.run(f"curl -s {billing}/admin/dump"))
    practice = next(one["id"] for one in dump["practices"] if one["name"] == elm["name"])
    provider = next(one["id"] for one in dump["providers"] if one["practice_id"] == practice)
    patient = {"practice": practice, "first_name": "Ada", "last_name": "Byron", "dob": "1985-12-10", "gender": "Female"}
    session.post(f"{billing}/admin/create_patient", patient | {"provider_id": provider})


def trusted(session: Session) -> None:
    """The names lead here, and the certificate of step 6 is one that this machine trusts."""
    session.run("""
        cp /etc/chartwire-tls/chartwire.pem /usr/local/share/ca-certificates/chartwire.crt && update-ca-certificates > /dev/null
        echo 127.0.0.1 chartwire.example.org console.example.org >> /etc/hosts
    """)


BEFORE: tuple[tuple[str, Callable[[Session], None]], ...] = (("chartwire check-config", sandboxes), ("nginx -t", trusted))
"""What is done before the block that has this text."""


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_the_service_runs_and_carries_a_patient_over(service: Session) -> None:
    """Live, the patient of Kareo's sandbox has a chart in Elation's."""
    service.until("curl -s http://127.0.0.1:8501/admin/dump | grep -q Byron")
    said = service.run("runuser -u chartwire -- chartwire status --fail-silent 60 --fail-lag 1000")
    assert "elm-street: " in said
    assert "no owner yet" not in said


@pytest.mark.nightly
def test_it_is_watched(service: Session) -> None:
    targets = json.loads(service.run("curl -s http://127.0.0.1:9090/api/v1/targets"))["data"]["activeTargets"]
    assert [(one["labels"]["job"], one["health"]) for one in targets] == [("chartwire", "up")]
    rules = json.loads(service.run("curl -s http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) > 10


@pytest.mark.nightly
def test_webhooks_come_through_the_proxy_and_nothing_else_does(service: Session) -> None:
    there = "curl -s -o /dev/null -w '%{http_code}' https://chartwire.example.org"
    assert service.run(f"{there}/webhooks/elation/elm-street/patients -d '{{}}'") in ("400", "401", "403")
    assert service.run(f"{there}/health/live") == "404"


@pytest.mark.nightly
def test_the_console_asks_who_it_is(service: Session) -> None:
    page = service.run("curl -s -L https://console.example.org/")
    assert "Sign in" in page


@pytest.mark.nightly
def test_passwords_travel_by_tls_only(service: Session) -> None:
    wanted = (
        "sslmode=disable host=localhost dbname=chartwire user=chartwire passfile=/etc/chartwire/postgres/chartwire.pgpass"
    )
    assert "no pg_hba.conf entry" in service.run(f"runuser -u chartwire -- psql '{wanted}' -c 'SELECT 1'", check=False)
    assert "SSL" in service.run(f"runuser -u chartwire -- psql '{wanted.replace('disable', 'require')}' -c '\\conninfo'")


@pytest.mark.nightly
def test_the_backup_is_one(service: Session) -> None:
    service.run(
        "runuser -u postgres -- pg_verifybackup --no-parse-wal --exit-on-error /srv/backup/base/* || test -s /srv/backup/base/*/base.tar.gz"
    )
    listed = service.run(
        "gpg --batch --quiet --decrypt --passphrase-file /root/keys.passphrase /srv/keys/*.tar.gpg | tar -t"
    )
    assert "keys/elm-street.1.key" in listed.split()
    assert "keys" not in service.run("tar -tzf /srv/backup/base/*/base.tar.gz | grep -i 'chartwire/keys' || true")
    assert json.loads((service.root.folder / "srv/keys/checkpoint.json").read_text())


@pytest.mark.nightly
def test_the_units_that_the_guide_brings_are_sound(service: Session) -> None:
    """By systemd itself, with its own targets, in the root where what they start lies."""
    service.run("apt-get install -yqq --no-install-recommends systemd > /dev/null 2>&1")
    units = sorted(one.name for one in (service.root.folder / "etc/systemd/system").iterdir() if one.is_file())
    brought = {"chartwire-backup.service", "chartwire-backup.timer", "chartwire-doctor.timer"}
    assert brought | {"kafka.service"} <= set(units)
    for name in units:
        command = ["systemd-analyze", f"--root={service.root.folder}", "verify", "--man=no", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not [line for line in done.stderr.splitlines() if name.partition(".")[0] in line], done.stderr


@pytest.mark.nightly
def test_the_doctor_complains_of_nothing_that_the_guide_should_have_done(service: Session) -> None:
    """Less than two weeks of a certificate, one node of Kafka: what is of this machine or of the stand-ins is listed here."""
    said = service.run("runuser -u chartwire -- chartwire doctor --json", check=False)
    found = {one["code"]: one["severity"] for one in map(json.loads, said.splitlines())}
    assert {code for code, severity in found.items() if severity == "error"} == set()
