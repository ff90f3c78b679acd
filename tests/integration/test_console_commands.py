"""`chartwire user`: users, roles and passwords from the command line, each change in the access log."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.console.passwords import Passwords
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.sandbox.clinic import Clinic, write_private
from daemon.tables import access, accounts, identity
from events.pool import open_pool

PASSWORD = "four words nobody says"


@pytest.fixture
def config(tmp_path: Path, dsn: str, console_dsn: str) -> Path:
    """A configuration whose vendors' secrets are not there: the console needs none."""
    file = Clinic().write_config(
        tmp_path, dsn=dsn, bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:8440", console=(console_dsn, "127.0.0.1:8450")
    )
    for one in tmp_path.glob("*.elation"):
        one.unlink()
    for one in tmp_path.glob("*.kareo*"):
        one.unlink()
    vendor = r'\1 = "https://vendor.example/"'
    file.write_text(re.sub(r'^(base_url|wsdl|endpoint) = ".*"$', vendor, file.read_text(), flags=re.MULTILINE))
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return file


def user(config: Path, *arguments: str) -> int:
    return main(["user", *arguments, "--config", str(config)])


async def looked_up(dsn: str, name: str) -> tuple[accounts.Account | None, list[str]]:
    pool = await open_pool(dsn, min_size=1, max_size=1)
    found = await accounts.account(pool, name)
    log = await access.last(pool, access.NOWHERE)
    await pool.close()
    return found, [f"{one.what}: {one.detail}" for one in log][::-1]


def test_a_user_from_the_first_day_to_the_last(config: Path, console_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(config.parent / "password")
    assert user(config, "add", "dana", "--password-file", file) == 0
    assert f"`chartwire user role dana PRACTICE ROLE --config {config}`" in capsys.readouterr().out
    assert user(config, "role", "dana", "elm", "front-desk") == 0
    assert user(config, "role", "dana", "*", "viewer") == 0
    assert user(config, "role", "dana", "elm", "front-desk", "--remove") == 0
    assert user(config, "disable", "dana") == 0
    assert user(config, "enable", "dana") == 0
    assert user(config, "password", "dana", "--password-file", file) == 0
    capsys.readouterr()
    assert user(config, "list") == 0
    assert capsys.readouterr().out == "dana: viewer of *\n"
    found, log = asyncio.run(looked_up(console_dsn, "dana"))
    assert found is not None
    assert asyncio.run(Passwords().fits(found.password, PASSWORD))
    assert log == [
        "user added: dana",
        "role given: dana: front-desk of elm",
        "role given: dana: viewer of all practices",
        "role taken: dana: front-desk of elm",
        "user disabled: dana",
        "user enabled: dana",
        "password set: dana",
    ]


def test_a_link_is_printed_once_and_leads_to_the_console(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert user(config, "add", "dana", "--no-password") == 0
    capsys.readouterr()
    assert user(config, "link", "dana") == 0
    assert capsys.readouterr().out.startswith("http://127.0.0.1:8450/enter/")
    assert user(config, "list") == 0
    assert capsys.readouterr().out == "dana: no role; no password\n"


def test_a_second_factor_is_reset_and_that_is_recorded(
    config: Path, console_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def given() -> None:
        pool = await open_pool(console_dsn, min_size=1, max_size=1)
        await identity.offer_factor(pool, "dana", b"sealed")
        await identity.confirm_factor(pool, "dana", 7, ["a code"], "")
        await accounts.add_session(pool, "id", "dana", 60)
        await pool.close()

    async def left() -> tuple[object, int, object]:
        pool = await open_pool(console_dsn, min_size=1, max_size=1)
        found = await identity.second_factor(pool, "dana")
        state = found, await identity.recovery_codes_left(pool, "dana"), await accounts.session(pool, "id")
        await pool.close()
        return state

    assert user(config, "add", "dana", "--no-password") == 0
    assert user(config, "reset-second-factor", "dana") == 1
    assert "has no second factor" in capsys.readouterr().err
    asyncio.run(given())
    assert user(config, "reset-second-factor", "dana") == 0
    assert "open sessions have ended" in capsys.readouterr().out
    assert asyncio.run(left()) == (None, 0, None)
    assert asyncio.run(looked_up(console_dsn, "dana"))[1] == ["user added: dana", "second factor reset: dana"]


def test_a_subject_of_the_identity_provider_is_one_user(
    config: Path, console_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert user(config, "add", "dana", "--no-password") == 0
    assert user(config, "subject", "dana", "s1") == 1
    assert "no such section" in capsys.readouterr().err
    write_private(config.with_name("oidc-secret"), "s")
    table = 'oidc = {issuer = "https://login.example", client_id = "c", client_secret_file = "oidc-secret"}'
    config.write_text(config.read_text().replace("[console]\n", f"[console]\n{table}\n"))
    assert user(config, "subject", "dana", "s1") == 0
    assert "https://login.example" in capsys.readouterr().out
    assert user(config, "subject", "dana", "s1") == 1
    assert "is a user already" in capsys.readouterr().err
    assert asyncio.run(looked_up(console_dsn, "dana"))[1] == ["user added: dana", "subject given: dana"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "Dana", "--no-password"), "small letters"),
        (("add", "da na", "--no-password"), "must be 1 to 64"),
        (("add", "omar", "--no-password"), "omar is a user already"),
        (("role", "nobody", "elm", "viewer"), "nobody is no user"),
        (("role", "omar", "elm", "king"), "must be one of viewer, front-desk"),
        (("role", "omar", "fir", "viewer"), "fir is not in the configuration"),
        (("role", "omar", "elm", "viewer", "--remove"), "does not have that role"),
        (("disable", "nobody"), "nobody is no user"),
        (("link", "nobody"), "nobody is no user"),
        (("password", "omar", "--password-file", "nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_told(
    config: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert user(config, "add", "omar", "--no-password") == 0
    capsys.readouterr()
    assert user(config, *arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_weak_password_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "password").write_text("dana\n")
    assert user(config, "add", "dana", "--password-file", str(config.parent / "password")) == 1
    assert "at least 12" in capsys.readouterr().err


def test_systemd_is_told_that_the_pages_are_there_that_they_live_and_that_they_end(config: Path, tmp_path: Path) -> None:
    """The unit is Type=notify with a watchdog (deploy/systemd/chartwire-console.service)."""
    port = free_port()
    config.write_text(config.read_text().replace("127.0.0.1:8450", f"127.0.0.1:{port}"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        command = [sys.executable, "-m", "daemon", "console", "--config", str(config)]
        process = subprocess.Popen(command, env=os.environ | told, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            waited = {b"READY=1", b"WATCHDOG=1"}
            while waited:
                waited.discard(systemd.recv(100))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/alive", timeout=10) as answer:
                assert answer.read() == b"ok\n"
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0
        last = b""
        while last != b"STOPPING=1":
            last = systemd.recv(100)


def test_without_its_section_the_console_is_not_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(re.sub(r"\[console\]\n.*\n.*\n", "", config.read_text()))
    assert user(config, "list") == 1
    assert capsys.readouterr().err.startswith("console: the configuration has no [console] section")


def test_a_role_without_rights_is_told_which_grant(
    config: Path, console_dsn: str, dsn: str, capsys: pytest.CaptureFixture[str], postgres: EmbeddedPostgres
) -> None:
    config.write_text(config.read_text().replace(console_dsn, dsn))
    assert user(config, "list") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("console.dsn: ")
    assert "`GRANT chartwire_console TO chartwire`" in line
