"""The configuration file: TOML, checked completely before anything starts.

Every error names its key (`practice[2].kareo.endpoint`), and all of them are reported at once. Secrets are never in the file:
it names files (relative ones lie beside it, or below systemd's credentials directory as `credential:NAME`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from daemon.sections import Problem, Section, VendorSection, check_secret, check_url, check_zone, resolve
from events.codec import Keyring
from events.ids import PracticeId
from events.writes import Resource, System
from projections.terms.names import Names
from projections.terms.policy import ENCOUNTER_STATUSES, POSSIBLE, PROFILES, Direction, Policy


class ConfigError(Exception):
    """`problems` are (key, what is wrong), in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{key}: {text}" for key, text in problems))
        self.problems = problems


S = TypeVar("S", bound=Section)
Sections = Sequence[type[VendorSection]]
"""The sections that a practice may have for its systems; of one role, the first is asked for where none is given."""


class PostgresConfig(Section, frozen=True, kw_only=True):
    """`dsn` is the daemon's own role; `migrate_dsn` the owner's, for `chartwire migrate` only."""

    dsn: str
    migrate_dsn: str = ""
    pool: int = 8


class KafkaConfig(Section, frozen=True, kw_only=True):
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


class KeysConfig(Section, frozen=True, kw_only=True):
    directory: str


class HttpConfig(Section, frozen=True, kw_only=True):
    """`listen` is `host:port`; `public_url` the address Elation reaches it by."""

    listen: str = "127.0.0.1:8440"
    public_url: str


class OverridesConfig(Section, frozen=True, kw_only=True):
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


class MapsConfig(Section, frozen=True, kw_only=True):
    """ids of the chart side (as text, TOML's keys) to ids of the billing side; `places_of_service` to two-digit codes."""

    providers: dict[str, int] = {}
    locations: dict[str, int] = {}
    places_of_service: dict[str, str] = {}
    default_physician: int | None = None


class PracticeRules(Section, frozen=True, kw_only=True):
    """`mode` "observe": both systems are read, nothing is decided and nothing written (`chartwire onboard`)."""

    id: str
    name: str
    time_zone: str
    profile: str = next(iter(PROFILES))
    mode: Literal["observe", "live"] = "live"
    overrides: OverridesConfig = OverridesConfig()
    maps: MapsConfig = MapsConfig()


class PracticeConfig(PracticeRules, frozen=True, kw_only=True):
    """A practice with the sections of the two systems that play its roles; each stands in the file under its system's name."""

    ehr: VendorSection
    billing: VendorSection

    def section(self, role: System) -> VendorSection:
        """The section of the system that plays this role."""
        return self.ehr if role is System.EHR else self.billing


class PaceConfig(Section, frozen=True, kw_only=True):
    """Seconds: pauses between tries grow from `first_pause` to `longest_pause`; a lost answer is looked for after each of
    `looks`; a pass that is not recorded within `patience` starts over."""

    first_pause: float = 1.0
    longest_pause: float = 300.0
    looks: tuple[float, ...] = (1.0, 15.0)
    patience: float = 60.0


class Config(Section, frozen=True, kw_only=True):
    postgres: PostgresConfig
    kafka: KafkaConfig
    keys: KeysConfig
    http: HttpConfig
    practice: tuple[PracticeConfig, ...]
    pace: PaceConfig = PaceConfig()
    log_level: str = "INFO"


def load(path: Path, sections: Sections) -> Config:
    """Read and check `path`; a practice has one of `sections` for each role (`daemon.vendors.registry.SECTIONS`).

    Raises ConfigError with every problem: unknown or missing keys, wrong types, unknown names, unreadable secrets.
    """
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError([(str(path), "no such file")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None
    problems: list[Problem] = []
    _check_shape(document, Config, "", problems, sections)
    _check_values(document, path.parent, problems, sections)
    if problems:
        raise ConfigError(problems)
    practices = [_practice(one, sections) for one in document["practice"]]
    return msgspec.convert(document | {"practice": practices}, Config, strict=False)


def _practice(document: dict[str, Any], sections: Sections) -> PracticeConfig:
    given = {
        one.role: msgspec.convert(document[one.system.prefix], one, strict=False)
        for one in sections
        if one.system.prefix in document
    }
    named = {one.system.prefix for one in sections}
    rules = msgspec.convert(
        {name: value for name, value in document.items() if name not in named}, PracticeRules, strict=False
    )
    return PracticeConfig(
        ehr=given[System.EHR],
        billing=given[System.BILLING],
        **{name: getattr(rules, name) for name in PracticeRules.__struct_fields__},
    )


class VariantConfig(Section, frozen=True, kw_only=True):
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
    problems: list[Problem] = []
    _check_shape(document, VariantConfig, "", problems, ())
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
    _check_rules(changed, changed.ehr.system.label, "", problems)
    if problems:
        raise ConfigError(problems)
    return changed


def _check_shape(value: object, wanted: Any, key: str, problems: list[Problem], sections: Sections) -> None:
    """Walk the document beside the schema, so that every wrong key is reported, not just the first."""
    if isinstance(wanted, type) and issubclass(wanted, Section):
        if not isinstance(value, dict):
            problems.append((key or "file", "must be a table"))
            return
        fields = _fields(wanted, value, sections)
        for name in value:
            if name not in fields:
                near = ", ".join(sorted(fields))
                problems.append((_join(key, name), f"unknown key; known here: {near}"))
        for name, (kind, required) in fields.items():
            if name in value:
                _check_shape(value[name], kind, _join(key, name), problems, sections)
            elif required:
                problems.append((_join(key, name), "is missing"))
        if wanted is PracticeConfig:
            _check_roles(value, key, problems, sections)
        return
    if get_origin(wanted) is tuple and isinstance(value, list):
        for index, item in enumerate(value, start=1):
            _check_shape(item, get_args(wanted)[0], f"{key}[{index}]", problems, sections)
        return
    try:
        msgspec.convert(value, wanted, strict=wanted is not float)
    except msgspec.ValidationError as error:
        problems.append((key, str(error)))


def _fields(wanted: type[Section], document: dict[str, Any], sections: Sections) -> dict[str, tuple[Any, bool]]:
    """Each field's type and whether it has to be there. A practice has, for each role, the section of one system."""
    if wanted is not PracticeConfig:
        return {field.name: (field.type, field.required) for field in msgspec.structs.fields(wanted)}
    roles = {one.role for one in sections if one.system.prefix in document}
    found = _fields(PracticeRules, document, sections)
    for one in sections:
        found[one.system.prefix] = (one, one.role not in roles)
        roles.add(one.role)
    return found


def _check_roles(document: dict[str, Any], key: str, problems: list[Problem], sections: Sections) -> None:
    plays: dict[System, str] = {}
    for one in sections:
        name = one.system.prefix
        if name in document and plays.setdefault(one.role, name) != name:
            problems.append((_join(key, name), f"plays the same role as {plays[one.role]}: a practice has one of the two"))


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _mended(value: object, wanted: Any, key: str, wrong: set[str]) -> object:
    """`value` with what is wrong replaced by emptiness, so that the rest of it can still be checked."""
    if not (isinstance(wanted, type) and issubclass(wanted, Section)):
        return {int: 0, float: 0.0, str: ""}.get(wanted, ()) if key in wrong else value
    given = value if isinstance(value, dict) else {}
    return {
        field.name: _mended(given.get(field.name), field.type, _join(key, field.name), wrong)
        for field in msgspec.structs.fields(wanted)
        if field.required or (field.name in given and _join(key, field.name) not in wrong)
    }


def _check_values(document: dict[str, Any], beside: Path, problems: list[Problem], sections: Sections) -> None:
    """What no type can say, also beside what has the wrong shape: so that everything is reported at once."""
    wrong = {key for key, _ in problems}
    found: list[Problem] = []

    def section(value: object, kind: type[S], key: str) -> S:
        return msgspec.convert(_mended(value, kind, key, wrong), kind, strict=False)

    _check_servers(
        section(document.get("keys"), KeysConfig, "keys"),
        section(document.get("http"), HttpConfig, "http"),
        section(document.get("kafka"), KafkaConfig, "kafka"),
        beside,
        found,
    )
    practices = document.get("practice")
    if practices == []:
        found.append(("practice", "at least one [[practice]] is needed"))
    seen: dict[str, int] = {}
    for index, one in enumerate(practices if isinstance(practices, list) else (), start=1):
        key = f"practice[{index}]"
        practice = section(one, PracticeRules, key)
        if practice.id in seen:
            found.append((f"{key}.id", f"is used by practice[{seen[practice.id]}] already"))
        seen[practice.id] = index
        if not practice.id or not all(char.isalnum() or char in "-_" for char in practice.id):
            found.append((f"{key}.id", "must be letters, digits, - and _"))
        check_zone(practice.time_zone, f"{key}.time_zone", found)
        given = [kind for kind in sections if isinstance(one, dict) and kind.system.prefix in one]
        label = next((kind.system.label for kind in given if kind.role is System.EHR), "EHR")
        _check_rules(practice, label, key, found)
        for kind in given:
            name = _join(key, kind.system.prefix)
            found += section(one[kind.system.prefix], kind, name).check(name, beside)
    problems += [(key, text) for key, text in found if not any(key == one or key.startswith(f"{one}.") for one in wrong)]


def _check_servers(keys: KeysConfig, http: HttpConfig, kafka: KafkaConfig, beside: Path, problems: list[Problem]) -> None:
    if not resolve(keys.directory, beside).is_dir():
        problems.append(("keys.directory", "is not a directory; create it with `chartwire new-key PRACTICE`"))
    check_url(http.public_url, "http.public_url", problems)
    host, _, port = http.listen.rpartition(":")
    if not host or not port.isdigit():
        problems.append(("http.listen", "must be host:port"))
    if kafka.sasl_password_file:
        check_secret(kafka.sasl_password_file, "kafka.sasl_password_file", beside, problems)


def _check_rules(practice: PracticeRules, label: str, key: str, problems: list[Problem]) -> None:
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
                problems.append((_join(key, f"maps.{name}.{id_}"), f"must be an {label} id (a number)"))


def accounts(config: Config, beside: Path) -> dict[PracticeId, str]:
    """Practices that share an account with a vendor, and so its limits: each with the first of their ids."""
    first: dict[tuple[str, str], PracticeId] = {}
    leader: dict[PracticeId, PracticeId] = {}
    for one in sorted(config.practice, key=lambda one: one.id):
        practice = leader[PracticeId(one.id)] = PracticeId(one.id)
        for section in (one.ehr, one.billing):
            if (account := section.account(beside)) is None:
                continue
            other = leader[first.setdefault((section.system.prefix, account), practice)]
            low, high = sorted((other, leader[practice]))
            leader = {each: low if its == high else its for each, its in leader.items()}
    return {each: its for each, its in leader.items() if its != each}


def names_of(practice: PracticeConfig) -> Names:
    """What people call the two systems of the practice."""
    return Names(ehr=practice.ehr.system, billing=practice.billing.system)


def keyring_of(config: Config, beside: Path) -> Keyring:
    """The practices' keys. Raises OSError or ValueError when they cannot be read."""
    return Keyring.from_directory(resolve(config.keys.directory, beside))


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
        names=names_of(practice),
        **chosen,
    )
