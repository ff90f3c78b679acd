"""What the configuration file may not say, each refused with its key; and no file ends in anything but ConfigError."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.config import Config, PracticeRules
from daemon.sandbox.clinic import write_private
from daemon.sections import Section
from daemon.vendors.registry import SECTIONS
from tests.unit.configuration_files import file, problems, toml, with_

__all__ = ["file"]


def test_the_configuration_of_a_rehearsal_is_accepted(file: Path) -> None:
    assert with_(file) == {}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("postgres.dsn", "postgresql://db.example/c", "TLS"),
        ("postgres.dsn", "postgresql://db.example/c?sslmode=prefer", "TLS"),
        ("postgres.dsn", "postgresql://localhost,db.example/c", "db.example"),
        ("postgres.dsn", "postgresql:///c?host=db.example", "TLS"),
        ("postgres.migrate_dsn", "postgresql://[2001:db8::1]:5432/c", "TLS"),
        ("postgres.dsn", "postgresql://[::1/c", "brackets"),
        ("postgres.dsn", "host=localhost dbname=c", "postgresql://"),
        ("postgres.pool", 0, ">= 1"),
        ("kafka.bootstrap_servers", "localhost", "host:port"),
        ("kafka.security_protocol", "plaintext", "SASL_SSL"),
        ("kafka.partitions", 0, ">= 1"),
        ("kafka.replication", 0, ">= 1"),
        ("kafka.session_timeout_seconds", -45, ">= 1"),
        ("kafka.ca_file", "nowhere.pem", "cannot be read"),
        ("http.listen", "::1:8440", "brackets"),
        ("http.listen", "127.0.0.1:99999", "host:port"),
        ("http.listen", "0.0.0.0:8440", "plain HTTP"),
        ("http.public_url", "https://[::1", "brackets"),
        ("http.public_url", "https://chartwire.example:port", "bad host or port"),
        ("log_level", "debug", "DEBUG"),
        ("pace.first_pause", -1.0, "> 0"),
        ("pace.longest_pause", 0.01, "first_pause"),
        ("pace.looks", [], "twice"),
        ("pace.patience", math.nan, "> 0"),
        ("pace.patience", math.inf, "<="),
        ("practice.elation.concurrency", 0, ">= 1"),
        ("practice.elation.base_url", "https://[::1", "brackets"),
        ("practice.elation.sweep_seconds", -1, "> 0"),
        ("practice.elation.practice_id", -1, ">= 1"),
        ("practice.kareo.limits.scale", 0, "> 0"),
        ("practice.kareo.limits.GetPatient", -0.25, "> 0"),
        ("practice.kareo.poll_seconds", 0, "> 0"),
        ("practice.kareo.poll_seconds", "300", "float"),
        ("practice.kareo.wsdl", "https://[::1", "brackets"),
        ("practice.kareo.appointment_days_back", -7, ">= 0"),
        ("practice.kareo.list_zone", "America", "time zone"),
        ("practice.maps.places_of_service", {"1": "office"}, "regex"),
    ],
)  # fmt: skip
def test_b7_what_was_accepted_without_a_word_is_refused_with_its_key(file: Path, key: str, value: object, said: str) -> None:
    found = with_(file, (key, value))
    named = [text for name, text in found.items() if name.replace("[1]", "").startswith(key)]
    assert len(found) == 1
    assert said in named[0]


def test_our_own_extension_is_a_row_of_its_profile_alone_and_named_so(file: Path) -> None:
    """Off by default; where no sink can do it the error names the key."""
    on = ("practice.overrides.appointment", "elation->kareo")
    (found,) = with_(file, on).items()
    assert found[0] == "practice[1].overrides.appointment"
    assert "an extension of chartwire's own, only in profile elation-led" in found[1]
    profile = ("practice.profile", "elation-led")
    assert with_(file, profile, on) == {}
    assert "practice[1].overrides.appointment" in with_(file, profile, (on[0], "both"))
    told = ("practice.overrides.deleted_appointment", "delete"), ("practice.overrides.notes_token", False)
    maps = ("practice.maps.default_location", 7), ("practice.maps.appointment_reasons", {"Follow-up": 31})
    assert with_(file, profile, on, *told, *maps) == {}
    assert "practice[1].overrides.deleted_appointment" in with_(file, profile, (told[0][0], "keep"))


def test_b7_kafka_in_the_clear_to_another_host(file: Path) -> None:
    assert "kafka.security_protocol" in with_(file, ("kafka.bootstrap_servers", "localhost:9092,k2.example:9092"))
    sasl = ("kafka.bootstrap_servers", "k2.example:9092"), ("kafka.security_protocol", "SASL_PLAINTEXT")
    assert set(with_(file, *sasl)) == {
        "kafka.security_protocol", "kafka.sasl_username", "kafka.sasl_password_file",
    }  # fmt: skip
    assert with_(file, ("kafka.bootstrap_servers", "k2.example:9092"), ("kafka.security_protocol", "SSL")) == {}


@pytest.mark.parametrize("dsn", ["postgresql://db.example/c?sslmode=verify-full", "postgresql://%2Fvar%2Frun/c",
                                 "postgresql:///c", "postgresql://u@[::1]:5432/c", "postgres://127.0.0.1:1,localhost:2/c"])  # fmt: skip
def test_databases_here_or_with_tls_are_accepted(file: Path, dsn: str) -> None:
    assert with_(file, ("postgres.dsn", dsn)) == {}


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
@pytest.mark.parametrize(
    ("name", "section", "key"),
    [
        ("elm.elation", "practice.elation", "practice[1].elation.client_secret_file"),
        ("elm.kareo-key", "practice.kareo", "practice[1].kareo.customer_key_file"),
        ("keys/elm.1.key", "keys", "keys.directory"),
    ],
)
def test_b7_a_secret_that_anybody_can_read_is_refused_unless_it_is_said_to_be_meant(
    file: Path, mode: int, name: str, section: str, key: str
) -> None:
    (file.parent / name).chmod(mode)
    found = with_(file)
    assert set(found) == {key}
    assert "insecure = true" in found[key]
    assert section.rpartition(".")[2] in found[key]
    assert with_(file, (f"{section}.insecure", True)) == {}


def test_b7_a_file_with_a_password_in_it_is_a_secret(file: Path) -> None:
    file.write_text(file.read_text().replace("postgresql://localhost", "postgresql://u:secret@localhost", 1))
    assert problems(file) == {}
    file.chmod(0o644)
    assert set(problems(file)) == {"postgres.dsn"}
    assert "secret" not in problems(file)["postgres.dsn"]


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("postgres", {"dsn": "postgresql://db.example/c"}),
        ("kafka", {"bootstrap_servers": "k2.example:9092"}),
        ("http", {"listen": "[::]:8440"}),
    ],
)
def test_b7_insecure_is_said_where_it_is_meant(file: Path, section: str, values: dict[str, object]) -> None:
    given = [(f"{section}.{name}", value) for name, value in values.items()]
    assert "insecure = true in [" + section in " ".join(with_(file, *given).values())
    assert with_(file, *given, (f"{section}.insecure", True)) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbfabc", "begins with a byte order mark: sed -i"),
        (b"\xff\xfe\x00", "is not text"),
        (b"one\ntwo", "line break"),
        (b"a\x00b", "control"),
        (b" \n", "is empty"),
    ],
)
def test_b7_a_secret_is_a_line_of_text(file: Path, content: bytes, said: str) -> None:
    (file.parent / "elm.kareo-password").write_bytes(content)
    (text,) = with_(file).values()
    assert said in text


@pytest.mark.parametrize("missing", ["postgres", "kafka", "keys", "http", "practice"])
def test_b7_a_missing_section_is_a_problem_with_its_name(file: Path, missing: str) -> None:
    document = tomllib.loads(file.read_text())
    del document[missing]
    write_private(file, toml(document))
    assert problems(file) == {missing: "is missing"}


def test_b7_an_empty_file_misses_everything(file: Path) -> None:
    file.write_text("")
    assert set(problems(file)) == {"postgres", "kafka", "keys", "http", "practice"}


@pytest.mark.parametrize(
    "content", [b"\xff", b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"[a]\n[a]\n"], ids=["bytes", "deep", "long", "twice"]
)
def test_b7_what_is_not_toml_is_said(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    (text,) = problems(file).values()
    assert text.startswith("is not TOML")
    file.unlink()
    file.mkdir()
    assert "cannot be read" in problems(file)[str(file)]


# -- as a kind ------------------------------------------------------------------------------------------------------------


def _sections(kind: type[Section]) -> Iterator[type[Section]]:
    yield kind
    for field in msgspec.structs.fields(kind):
        for each in (field.type, *get_args(field.type)):
            if isinstance(each, type) and issubclass(each, Section):
                yield from _sections(each)


EVERY = sorted({one for kind in (Config, PracticeRules, *SECTIONS) for one in _sections(kind)}, key=lambda one: one.__name__)


@pytest.mark.parametrize("kind", EVERY)
def test_every_number_of_every_section_has_a_least_and_a_most(kind: type[Section]) -> None:
    def unbounded(wanted: Any) -> list[object]:
        if wanted in (int, float):
            return [wanted]
        metas = [one for one in getattr(wanted, "__metadata__", ()) if isinstance(one, msgspec.Meta)]
        if metas and get_args(wanted)[0] in (int, float):
            least = [one for one in metas if one.ge is not None or one.gt is not None]
            return [] if least and any(one.le is not None for one in metas) else [wanted]
        return [each for part in get_args(wanted) if get_origin(wanted) is not None for each in unbounded(part)]

    found = {field.name: unbounded(field.type) for field in msgspec.structs.fields(kind)}
    assert {name: kinds for name, kinds in found.items() if kinds} == {}


VALUES = st.recursive(
    st.none().map(lambda _: "") | st.booleans() | st.integers(-(2**70), 2**70) | st.floats()
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    | st.sampled_from(["https://[::1", "http://a:b", "postgresql://[", "credential:\0", "a:1,b", "../../..", "x" * 300, "::"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_file_is_a_configuration_or_a_configuration_error(file: Path, data: st.DataObject) -> None:
    """A value anywhere replaced by any other: never another exception, and never a problem without a key."""
    document = tomllib.loads(file.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        at: Any = document
        while True:
            places = sorted(at) if isinstance(at, dict) else list(range(len(at)))
            place = data.draw(st.sampled_from(places))
            if not isinstance(at[place], dict | list) or not at[place] or data.draw(st.integers(0, 3)) == 0:
                break
            at = at[place]
        if data.draw(st.booleans()) and isinstance(at, dict) and len(at) > 1:
            del at[place]
        else:
            at[place] = data.draw(VALUES)
    other = file.with_name("any.toml")
    write_private(other, toml(document))
    found = problems(other)
    assert all(key and text for key, text in found.items())


def test_a_file_that_an_editor_of_windows_has_written_is_told_as_such(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert f"{file} begins with a byte order mark: sed -i" in problems(file)[str(file)]
