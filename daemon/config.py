"""The configuration file: TOML, checked completely before anything starts.

Every error names its key (`practice[2].kareo.endpoint`), and all of them are reported at once. Secrets are never in the file:
it names files (relative ones lie beside it, or below systemd's credentials directory as `credential:NAME`).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from events.ids import PracticeId
from events.records import stored_field
from events.writes import Resource, System
from projections.terms.policy import ENCOUNTER_STATUSES, POSSIBLE, PROFILES, Direction, Policy


class ConfigError(Exception):
    """`problems` are (key, what is wrong), in the order of the file."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{key}: {text}" for key, text in problems))
        self.problems = problems


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=stored_field):
    pass


S = TypeVar("S", bound=_Section)


class PostgresConfig(_Section, frozen=True, kw_only=True):
    """`dsn` is the daemon's own role; `migrate_dsn` the owner's, for `chartwire migrate` only."""

    dsn: str
    migrate_dsn: str = ""
    pool: int = 8


class KafkaConfig(_Section, frozen=True, kw_only=True):
    """`feed` publishes recorded events outward (`chartwire.events.v1`), bodies encrypted."""

    bootstrap_servers: str
    group: str = "chartwire"
    partitions: int = 12
    replication: int = 1
    idempotent: bool = True
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password_file: str = ""
    ca_file: str = ""
    session_timeout_seconds: float = 45.0
    feed: bool = True


class KeysConfig(_Section, frozen=True, kw_only=True):
    directory: str


class HttpConfig(_Section, frozen=True, kw_only=True):
    """`listen` is `host:port`; `public_url` the address Elation reaches it by."""

    listen: str = "127.0.0.1:8440"
    public_url: str


class ElationConfig(_Section, frozen=True, kw_only=True):
    base_url: str
    client_id: str
    client_secret_file: str
    practice_id: int
    catch_up_seconds: float = 300.0
    sweep_seconds: float = 3600.0
    concurrency: int = 4
    webhooks: bool = True


class KareoConfig(_Section, frozen=True, kw_only=True):
    """`limits` scales or overrides the published intervals: `scale`, or an operation's name = seconds.

    `patient_round_seconds` is how long a round through all linked patients takes, 0 for none: what neither polls nor sweeps
    show (policies beyond the second, insured details) is seen within that time.
    """

    wsdl: str
    endpoint: str
    customer_key_file: str
    user: str
    password_file: str
    practice_name: str
    poll_seconds: float = 300.0
    sweep_seconds: float = 14_400.0
    directory_seconds: float = 3600.0
    patient_round_seconds: float = 86_400.0
    limits: dict[str, float] = {}
    list_zone: str = "America/Los_Angeles"
    external_vendor: str = "chartwire"
    appointment_days_back: int = 7
    appointment_days_ahead: int = 180


class OverridesConfig(_Section, frozen=True, kw_only=True):
    """Rows of the direction table and other rules that a practice sets differently."""

    chart: Direction | None = None
    demographics: Direction | None = None
    insurance: Direction | None = None
    appointment: Direction | None = None
    bill: Direction | None = None
    preference: System | None = None
    case_name: str | None = None
    payer_scenario: str | None = None
    encounter_status: str | None = None
    batch_numbers: bool | None = None


class MapsConfig(_Section, frozen=True, kw_only=True):
    """Elation ids (as text, TOML's keys) to Kareo ids; `places_of_service` to two-digit codes."""

    providers: dict[str, int] = {}
    locations: dict[str, int] = {}
    places_of_service: dict[str, str] = {}
    default_physician: int | None = None


class PracticeConfig(_Section, frozen=True, kw_only=True):
    """`mode` "observe": both systems are read, nothing is decided and nothing written (`chartwire onboard`)."""

    id: str
    name: str
    time_zone: str
    ehr: ElationConfig
    billing: KareoConfig
    profile: str = "kareo-led"
    mode: Literal["observe", "live"] = "live"
    overrides: OverridesConfig = OverridesConfig()
    maps: MapsConfig = MapsConfig()


class PaceConfig(_Section, frozen=True, kw_only=True):
    """Seconds: pauses between tries grow from `first_pause` to `longest_pause`; a lost answer is looked for after each of
    `looks`; a pass that is not recorded within `patience` starts over."""

    first_pause: float = 1.0
    longest_pause: float = 300.0
    looks: tuple[float, ...] = (1.0, 15.0)
    patience: float = 60.0


class Config(_Section, frozen=True, kw_only=True):
    postgres: PostgresConfig
    kafka: KafkaConfig
    keys: KeysConfig
    http: HttpConfig
    practice: tuple[PracticeConfig, ...]
    pace: PaceConfig = PaceConfig()
    log_level: str = "INFO"


def load(path: Path) -> Config:
    """Read and check `path`.

    Raises ConfigError with every problem: unknown or missing keys, wrong types, unknown names, unreadable secrets.
    """
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError([(str(path), "no such file")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None
    problems: list[tuple[str, str]] = []
    _check_shape(document, Config, "", problems)
    _check_values(document, path.parent, problems)
    if problems:
        raise ConfigError(problems)
    return msgspec.convert(document, Config, strict=False)


class VariantConfig(_Section, frozen=True, kw_only=True):
    """Another policy to compare with (`chartwire what-if`): what is given replaces the practice's own, key by key."""

    profile: str | None = None
    overrides: OverridesConfig = OverridesConfig()
    maps: MapsConfig = MapsConfig()


def load_variant(path: Path, practice: PracticeConfig) -> PracticeConfig:
    """The practice as it would be with the keys of `path`. Raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError:
        raise ConfigError([(str(path), "cannot be read")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None
    problems: list[tuple[str, str]] = []
    _check_shape(document, VariantConfig, "", problems)
    if problems:
        raise ConfigError(problems)
    variant = msgspec.convert(document, VariantConfig)
    given = {name: getattr(variant.overrides, name) for name in document.get("overrides", {})}
    maps = {name: getattr(variant.maps, name) for name in document.get("maps", {})}
    changed = msgspec.structs.replace(
        practice,
        profile=variant.profile or practice.profile,
        overrides=msgspec.structs.replace(practice.overrides, **given),
        maps=msgspec.structs.replace(practice.maps, **maps),
    )
    _check_rules(changed, "", problems)
    if problems:
        raise ConfigError(problems)
    return changed


def _check_shape(value: object, wanted: Any, key: str, problems: list[tuple[str, str]]) -> None:
    """Walk the document beside the schema, so that every wrong key is reported, not just the first."""
    if isinstance(wanted, type) and issubclass(wanted, _Section):
        if not isinstance(value, dict):
            problems.append((key or "file", "must be a table"))
            return
        fields = {field.encode_name: field for field in msgspec.structs.fields(wanted)}
        for name in value:
            if name not in fields:
                near = ", ".join(sorted(fields))
                problems.append((_join(key, name), f"unknown key; known here: {near}"))
        for name, field in fields.items():
            if name in value:
                _check_shape(value[name], field.type, _join(key, name), problems)
            elif field.required:
                problems.append((_join(key, name), "is missing"))
        return
    if get_origin(wanted) is tuple and isinstance(value, list):
        for index, item in enumerate(value, start=1):
            _check_shape(item, get_args(wanted)[0], f"{key}[{index}]", problems)
        return
    try:
        msgspec.convert(value, wanted, strict=wanted is not float)
    except msgspec.ValidationError as error:
        problems.append((key, str(error)))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _mended(value: object, wanted: Any, key: str, wrong: set[str]) -> object:
    """`value` with what is wrong replaced by emptiness, so that the rest of it can still be checked."""
    if not (isinstance(wanted, type) and issubclass(wanted, _Section)):
        return {int: 0, float: 0.0, str: ""}.get(wanted, ()) if key in wrong else value
    given = value if isinstance(value, dict) else {}
    return {
        field.encode_name: _mended(given.get(field.encode_name), field.type, _join(key, field.encode_name), wrong)
        for field in msgspec.structs.fields(wanted)
        if field.required or (field.encode_name in given and _join(key, field.encode_name) not in wrong)
    }


def _check_values(document: dict[str, Any], beside: Path, problems: list[tuple[str, str]]) -> None:
    """What no type can say, also beside what has the wrong shape: so that everything is reported at once."""
    wrong = {key for key, _ in problems}
    found: list[tuple[str, str]] = []

    def section(name: str, kind: type[S]) -> S:
        return msgspec.convert(_mended(document.get(name), kind, name, wrong), kind, strict=False)

    keys, http, kafka = section("keys", KeysConfig), section("http", HttpConfig), section("kafka", KafkaConfig)
    if not resolve(keys.directory, beside).is_dir():
        found.append(("keys.directory", "is not a directory; create it with `chartwire new-key PRACTICE`"))
    _check_url(http.public_url, "http.public_url", found)
    host, _, port = http.listen.rpartition(":")
    if not host or not port.isdigit():
        found.append(("http.listen", "must be host:port"))
    if kafka.sasl_password_file:
        _check_secret(kafka.sasl_password_file, "kafka.sasl_password_file", beside, found)
    practices = document.get("practice")
    if practices == []:
        found.append(("practice", "at least one [[practice]] is needed"))
    seen: dict[str, int] = {}
    for index, one in enumerate(practices if isinstance(practices, list) else (), start=1):
        key = f"practice[{index}]"
        practice = msgspec.convert(_mended(one, PracticeConfig, key, wrong), PracticeConfig, strict=False)
        if practice.id in seen:
            found.append((f"{key}.id", f"is used by practice[{seen[practice.id]}] already"))
        seen[practice.id] = index
        if not practice.id or not all(char.isalnum() or char in "-_" for char in practice.id):
            found.append((f"{key}.id", "must be letters, digits, - and _"))
        _check_practice(practice, key, beside, found)
    problems += [(key, text) for key, text in found if not any(key == one or key.startswith(f"{one}.") for one in wrong)]


def _check_rules(practice: PracticeConfig, key: str, problems: list[tuple[str, str]]) -> None:
    if practice.profile not in PROFILES:
        problems.append((_join(key, "profile"), f"unknown profile; known: {', '.join(PROFILES)}"))
    for resource in Resource:
        direction = getattr(practice.overrides, resource.value)
        if direction is not None and direction not in POSSIBLE[resource]:
            possible = ", ".join(sorted(one.value for one in POSSIBLE[resource]))
            problems.append((_join(key, f"overrides.{resource.value}"), f"cannot be carried out; possible: {possible}"))
    status = practice.overrides.encounter_status
    if status is not None and status not in ENCOUNTER_STATUSES:
        problems.append((_join(key, "overrides.encounter_status"), f"must be one of {', '.join(ENCOUNTER_STATUSES)}"))
    for name in ("providers", "locations", "places_of_service"):
        for id_ in getattr(practice.maps, name):
            if not id_.isdigit():
                problems.append((_join(key, f"maps.{name}.{id_}"), "must be an Elation id (a number)"))


def _check_practice(practice: PracticeConfig, key: str, beside: Path, problems: list[tuple[str, str]]) -> None:
    for zone_key, zone in ((f"{key}.time_zone", practice.time_zone), (f"{key}.kareo.list_zone", practice.billing.list_zone)):
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            problems.append((zone_key, "is not a time zone name such as America/Denver"))
    _check_rules(practice, key, problems)
    _check_url(practice.ehr.base_url, f"{key}.elation.base_url", problems)
    _check_url(practice.billing.endpoint, f"{key}.kareo.endpoint", problems)
    if urlsplit(practice.billing.wsdl).scheme in ("http", "https"):
        _check_url(practice.billing.wsdl, f"{key}.kareo.wsdl", problems)
    elif not resolve(practice.billing.wsdl, beside).is_file():
        problems.append((f"{key}.kareo.wsdl", "is neither a URL nor a file that can be read"))
    sections = {"elation": practice.ehr, "kareo": practice.billing}
    for section, name in (("elation", "client_secret_file"), ("kareo", "customer_key_file"), ("kareo", "password_file")):
        _check_secret(getattr(sections[section], name), f"{key}.{section}.{name}", beside, problems)


def _check_url(url: str, key: str, problems: list[tuple[str, str]]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problems.append((key, "must be an http or https address"))
    elif parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        problems.append((key, "must be https: patients' data would travel in the clear"))


def _check_secret(name: str, key: str, beside: Path, problems: list[tuple[str, str]]) -> None:
    try:
        if not secret(name, beside):
            problems.append((key, "is empty"))
    except OSError as error:
        problems.append((key, f"cannot be read ({type(error).__name__})"))


def resolve(name: str, beside: Path) -> Path:
    """The file a configuration value names; `credential:NAME` lies in systemd's credentials directory."""
    if name.startswith("credential:"):
        return Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / name.removeprefix("credential:")
    return beside / name


def secret(name: str, beside: Path) -> str:
    """The content of a secret's file, outer white space off. Raises OSError when it cannot be read."""
    return resolve(name, beside).read_text().strip()


def accounts(config: Config, beside: Path) -> dict[PracticeId, str]:
    """Practices that share a Kareo customer key, and so its limits (NOTES, section 4): each with the first of their ids."""
    keys = {PracticeId(one.id): secret(one.billing.customer_key_file, beside) for one in config.practice}
    first: dict[str, str] = {}
    for practice in sorted(keys):
        first.setdefault(keys[practice], practice)
    return {practice: first[key] for practice, key in keys.items() if first[key] != practice}


def policy_of(practice: PracticeConfig) -> Policy:
    """The practice's rules: its profile with its overrides and maps."""
    overrides = practice.overrides
    table = dict(PROFILES[practice.profile])
    for resource in Resource:
        if (direction := getattr(overrides, resource.value)) is not None:
            table[resource] = direction
    chosen = {
        name: value
        for name in ("preference", "case_name", "payer_scenario", "encounter_status", "batch_numbers")
        if (value := getattr(overrides, name)) is not None
    }
    return Policy(
        practice=PracticeId(practice.id),
        time_zone=practice.time_zone,
        table=table,
        providers={int(key): value for key, value in practice.maps.providers.items()},
        locations={int(key): value for key, value in practice.maps.locations.items()},
        places_of_service={int(key): value for key, value in practice.maps.places_of_service.items()},
        default_physician=practice.maps.default_physician,
        observes=practice.mode == "observe",
        **chosen,
    )
