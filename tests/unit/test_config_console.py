"""What the configuration file may not say of the console and of signing in, each refused with its key."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from daemon.config import load, without_secrets
from daemon.console.roles import Role
from daemon.sandbox.clinic import write_private
from daemon.servers import RoleName
from daemon.vendors.registry import SECTIONS
from tests.unit.configuration_files import file, problems, with_

__all__ = ["file"]

CONSOLE = "postgresql://localhost/c"


@pytest.mark.parametrize(
    ("key", "value", "wrong", "said"),
    [
        ("dsn", "mysql://localhost/c", "console.dsn", "must be postgresql://"),
        ("dsn", "postgresql://db.example/c", "console.dsn", "without TLS"),
        ("listen", "0.0.0.0:8450", "console.listen", "insecure = true in [console]"),
        ("listen", "8450", "console.listen", "must be host:port"),
        ("public_url", "http://console.example", "console.public_url", "must be https"),
        ("idle_minutes", 0, "console.idle_minutes", "> 0"),
        ("port", 8450, "console.port", "unknown key"),
    ],
)
def test_what_the_console_s_section_may_not_say(file: Path, key: str, value: object, wrong: str, said: str) -> None:
    assert with_(file, ("console.dsn", CONSOLE)) == {}
    found = with_(file, ("console.dsn", CONSOLE), (f"console.{key}", value))
    assert set(found) == {wrong}
    assert said in found[wrong]


OIDC = {"issuer": "https://login.example", "client_id": "c", "client_secret_file": "oidc-secret"}
GROUP = {"name": "g", "role": "biller", "practices": ["*"]}


@pytest.mark.parametrize(
    ("values", "wrong", "said"),
    [
        ({"key_file": "short-key"}, "console.key_file", "at least 32 characters"),
        ({"key_file": "nowhere"}, "console.key_file", "cannot be read"),
        ({"key_file": "open-key"}, "console.key_file", "by anybody on this machine"),
        ({"second_factor": ["admin"]}, "console.key_file", "is missing: second factors are sealed with it"),
        (
            {"second_factor": ["king"], "key_file": "good-key"},
            "console.second_factor[1]",
            "must be one of viewer, front-desk",
        ),
        ({"oidc": OIDC | {"issuer": "http://login.example"}}, "console.oidc.issuer", "must be https"),
        ({"oidc": OIDC | {"client_secret_file": "nowhere"}}, "console.oidc.client_secret_file", "cannot be read"),
        ({"oidc": OIDC | {"client_secret_file": "open-key"}}, "console.oidc.client_secret_file", "by anybody"),
        ({"oidc": OIDC | {"create_users": True}}, "console.oidc.group", "needs a role by a group"),
        ({"oidc": OIDC | {"group": [GROUP | {"role": "king"}]}}, "console.oidc.group[1].role", "must be one of viewer"),
        ({"oidc": OIDC | {"nonce": False}}, "console.oidc.nonce", "unknown key"),
    ],
)
def test_what_signing_in_may_not_be_configured_as(file: Path, values: dict[str, object], wrong: str, said: str) -> None:
    for name, text in (("short-key", "x" * 31), ("good-key", "x" * 32), ("open-key", "x" * 32), ("oidc-secret", "s")):
        write_private(file.with_name(name), text)
    file.with_name("open-key").chmod(0o644)
    good: dict[str, object] = {
        "dsn": CONSOLE,
        "key_file": "good-key",
        "second_factor": ["admin"],
        "oidc": OIDC | {"group": [GROUP]},
    }
    assert with_(file, ("console", good)) == {}
    found = with_(file, ("console", {"dsn": CONSOLE} | values))
    assert set(found) == {wrong}
    assert said in found[wrong]


def test_the_roles_of_the_configuration_are_those_of_the_console() -> None:
    assert get_args(RoleName) == tuple(Role)


def test_the_console_s_section_needs_its_dsn(file: Path) -> None:
    assert with_(file, ("console.pool", 2)) == {"console.dsn": "is missing"}


def test_a_password_in_the_console_s_dsn_is_a_secret(file: Path) -> None:
    text = f'{file.read_text()}\n[console]\ndsn = "postgresql://console:secret@localhost/c"\n'
    file.write_text(text)
    assert problems(file) == {}
    file.chmod(0o644)
    assert set(problems(file)) == {"console.dsn"}


def test_for_the_console_no_vendor_s_secret_is_opened(file: Path) -> None:
    for one in file.parent.glob("elm.*"):
        one.unlink()
    assert len(problems(file)) == 3
    assert load(file, without_secrets(SECTIONS)).practice[0].id == "elm"
