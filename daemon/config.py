"""The configuration file: TOML, checked completely before anything starts.

Every error names its key (`practice[2].kareo.endpoint`), and all of them are reported at once. Secrets are never in the file:
it names files (relative ones lie beside it, or below systemd's credentials directory as `credential:NAME`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from daemon.notify import NotifyConfig
from daemon.sections import (
    ConfigProblem,
    PositiveId,
    Seconds,
    Section,
    VendorSection,
    check_private,
    check_zone,
    resolve,
    unmarked,
)
from daemon.servers import ConsoleConfig, HttpConfig, KafkaConfig, KeysConfig, MetricsConfig, PostgresConfig, TracesConfig
from daemon.shape import check_shape, join, mended, own_fields
from events.codec import Keyring
from events.ids import PracticeId
from events.writes import Resource, System
from projections.terms.names import Names
from projections.terms.policy import (
    ENCOUNTER_STATUSES,
    EXTENSION,
    PREFERENCES,
    PROFILES,
    BillPrices,
    DeletedAppointment,
    Direction,
    NewCarrier,
    Policy,
    RemovedPolicy,
    Rescheduled,
    WithoutPlan,
    possible,
)


class ConfigError(Exception):
    """`problems` are (key, what is wrong), in the order of the file."""

    def __init__(self, problems: list[ConfigProblem]) -> None:
        super().__init__("\n".join(f"{key}: {text}" for key, text in problems))
        self.problems = problems


Sections = Sequence[type[VendorSection]]
"""The sections that a practice may have for its systems; of one role, the first is asked for where none is given."""


def without_secrets(sections: Sections) -> Sections:
    """The same sections for who may not read the vendors' secrets: their files are named, and never opened."""
    return [type(one.__name__, (one,), {"secrets": (), "__module__": one.__module__}) for one in sections]


class OverridesConfig(Section, frozen=True, kw_only=True):
    """Rows of the direction table and other rules that a practice sets differently.

    `preference` says who wins a conflict of demographics, `insurance_preference` who wins one of insurance.
    """

    chart: Direction | None = None
    demographics: Direction | None = None
    insurance: Direction | None = None
    appointment: Direction | None = None
    bill: Direction | None = None
    preference: System | None = None
    insurance_preference: System | None = None
    case_name: str | None = None
    payer_scenario: str | None = None
    encounter_status: str | None = None
    batch_numbers: bool | None = None
    bill_prices: BillPrices | None = None
    rescheduled: Rescheduled | None = None
    removed_policy: RemovedPolicy | None = None
    new_carrier: NewCarrier | None = None
    carrier_without_plan: WithoutPlan | None = None
    deleted_appointment: DeletedAppointment | None = None
    notes_token: bool | None = None
    keep_out: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] | None = None


class MapsConfig(Section, frozen=True, kw_only=True):
    """ids of the chart side (as text, TOML's keys) to ids of the billing side; `places_of_service` to two-digit codes.

    `default_location` and `appointment_reasons` (by the type's name on the chart side) are for appointments that go to the billing side.
    """

    providers: dict[str, PositiveId] = {}
    locations: dict[str, PositiveId] = {}
    places_of_service: dict[str, Annotated[str, msgspec.Meta(pattern="^[0-9]{2}$")]] = {}
    default_physician: PositiveId | None = None
    default_location: PositiveId | None = None
    appointment_reasons: dict[str, PositiveId] = {}


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

    first_pause: Seconds = 1.0
    longest_pause: Seconds = 300.0
    looks: tuple[Seconds, ...] = (1.0, 15.0)
    patience: Seconds = 60.0

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        if self.longest_pause < self.first_pause:
            problems.append((f"{key}.longest_pause", "must not be below first_pause"))
        if not self.looks:
            problems.append((f"{key}.looks", "needs at least one: a lost answer that nobody looks for is written twice"))
        return problems


class Config(Section, frozen=True, kw_only=True):
    postgres: PostgresConfig
    kafka: KafkaConfig
    keys: KeysConfig
    http: HttpConfig
    practice: tuple[PracticeConfig, ...]
    pace: PaceConfig = PaceConfig()
    console: ConsoleConfig | None = None
    metrics: MetricsConfig = MetricsConfig()
    traces: TracesConfig = TracesConfig()
    notify: NotifyConfig = NotifyConfig()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"


def load(path: Path, sections: Sections) -> Config:
    """Read and check `path`; a practice has one of `sections` for each role (`daemon.vendors.registry.SECTIONS`).

    Raises ConfigError with every problem: unknown or missing keys, wrong types, unknown names, unreadable secrets.
    """
    document = _document(path)
    problems: list[ConfigProblem] = []
    check_shape(document, Config, "", problems, lambda wanted, given: _fields(wanted, given, sections))
    _check_values(document, path, problems, sections)
    if problems:
        raise ConfigError(problems)
    practices = [_practice(one, sections) for one in document["practice"]]
    return msgspec.convert(document | {"practice": practices}, Config)


def keys_given(path: Path) -> frozenset[str]:
    """The keys that the file has (`practice[2].maps.providers.7`), of tables and arrays too: a value of any other is a default. Raises ConfigError."""

    def keys(value: object, key: str) -> Iterator[str]:
        yield key
        named = value.items() if isinstance(value, dict) else ()
        found = [(join(key, name), one) for name, one in named]
        if isinstance(value, list):
            found += [(f"{key}[{number}]", one) for number, one in enumerate(value, start=1)]
        for name, one in found:
            yield from keys(one, name)

    return frozenset(keys(_document(path), "")) - {""}


def _document(path: Path) -> dict[str, Any]:
    """The file as TOML reads it. Raises ConfigError, whatever the file holds."""
    try:
        return tomllib.loads(unmarked(path))
    except FileNotFoundError:
        raise ConfigError([(str(path), "no such file")]) from None
    except OSError as error:
        raise ConfigError([(str(path), f"cannot be read ({type(error).__name__})")]) from None
    except RecursionError:
        raise ConfigError([(str(path), "is not TOML: nested too deeply")]) from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, numbers of too many digits
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None


def _practice(document: dict[str, Any], sections: Sections) -> PracticeConfig:
    given = {
        one.role: msgspec.convert(document[one.system.prefix], one) for one in sections if one.system.prefix in document
    }
    named = {one.system.prefix for one in sections}
    rules = msgspec.convert({name: value for name, value in document.items() if name not in named}, PracticeRules)
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
    document = _document(path)
    problems: list[ConfigProblem] = []
    check_shape(document, VariantConfig, "", problems)
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


def _fields(wanted: type[Section], document: Mapping[str, Any], sections: Sections) -> Mapping[str, tuple[Any, bool]]:
    """As `own_fields`; a practice has, for each role, the section of one system."""
    if wanted is not PracticeConfig:
        return own_fields(wanted, document)
    roles = {one.role for one in sections if one.system.prefix in document}
    found = own_fields(PracticeRules, document)
    for one in sections:
        found[one.system.prefix] = (one, one.role not in roles)
        roles.add(one.role)
    return found


def _check_values(document: dict[str, Any], path: Path, problems: list[ConfigProblem], sections: Sections) -> None:
    """What no type can say, also beside what has the wrong shape: so that everything is reported at once."""
    wrong = {key for key, _ in problems}
    found: list[ConfigProblem] = []
    for name, kind in SERVERS.items():
        found += mended(document.get(name), kind, name, wrong).check(name, path.parent)
    postgres = mended(document.get("postgres"), PostgresConfig, "postgres", wrong)
    if postgres.holds_password and not postgres.insecure:
        check_private(path, "postgres.dsn", found)
    if "console" in document:
        console = mended(document["console"], ConsoleConfig, "console", wrong)
        found += console.check("console", path.parent)
        if console.holds_password and not console.insecure:
            check_private(path, "console.dsn", found)
    practices = document.get("practice")
    if practices == []:
        found.append(("practice", "at least one [[practice]] is needed"))
    seen: dict[str, int] = {}
    at_vendors: dict[tuple[str, ...], int] = {}
    for index, one in enumerate(practices if isinstance(practices, list) else (), start=1):
        key = f"practice[{index}]"
        practice = mended(one, PracticeRules, key, wrong)
        if practice.id in seen:
            found.append((f"{key}.id", f"is used by practice[{seen[practice.id]}] already"))
        seen[practice.id] = index
        for section in _check_practice(
            practice, one if isinstance(one, dict) else {}, key, path.parent, found, sections, wrong
        ):
            if (its := section.practice_there(path.parent)) is None:
                continue
            if (other := at_vendors.setdefault((section.system.prefix, *its), index)) != index:
                label = section.system.label
                text = f"is the {label} practice of practice[{other}] already: each would write what the other has written"
                found.append((join(key, section.system.prefix), text))
    problems += [(key, text) for key, text in found if not any(key == one or key.startswith(f"{one}.") for one in wrong)]


SERVERS: Mapping[str, type[Section]] = {
    "keys": KeysConfig,
    "http": HttpConfig,
    "kafka": KafkaConfig,
    "postgres": PostgresConfig,
    "pace": PaceConfig,
    "metrics": MetricsConfig,
    "traces": TracesConfig,
    "notify": NotifyConfig,
}


def _check_practice(
    practice: PracticeRules,
    document: Mapping[str, Any],
    key: str,
    beside: Path,
    problems: list[ConfigProblem],
    sections: Sections,
    wrong: set[str],
) -> list[VendorSection]:
    """What is wrong with one practice; returns the sections of its systems."""
    if not practice.id or not all(char.isalnum() or char in "-_" for char in practice.id):
        problems.append((f"{key}.id", "must be letters, digits, - and _"))
    check_zone(practice.time_zone, f"{key}.time_zone", problems)
    given = [kind for kind in sections if kind.system.prefix in document]
    label = next((kind.system.label for kind in given if kind.role is System.EHR), "EHR")
    _check_rules(practice, label, key, problems)
    plays: dict[System, str] = {}
    found = []
    for kind in given:
        prefix = kind.system.prefix
        name = join(key, prefix)
        if plays.setdefault(kind.role, prefix) != prefix:
            problems.append((name, f"plays the same role as {plays[kind.role]}: a practice has one of the two"))
        found.append(section := mended(document[prefix], kind, name, wrong))
        problems += section.check(name, beside)
    return found


def _check_rules(practice: PracticeRules, label: str, key: str, problems: list[ConfigProblem]) -> None:
    if practice.profile not in PROFILES:
        problems.append((join(key, "profile"), f"unknown profile; known: {', '.join(PROFILES)}"))
    for resource in Resource:
        direction = getattr(practice.overrides, resource.value)
        if direction is not None and direction not in possible(resource, practice.profile):
            text = f"cannot be carried out; possible: {', '.join(sorted(possible(resource, practice.profile)))}"
            where = [name for name, rows in EXTENSION.items() if rows.get(resource) is direction]
            text += f"; {direction.value} is an extension of chartwire's own, only in profile {where[0]}" if where else ""
            problems.append((join(key, f"overrides.{resource.value}"), text))
    status = practice.overrides.encounter_status
    if status is not None and status not in ENCOUNTER_STATUSES:
        problems.append((join(key, "overrides.encounter_status"), f"must be one of {', '.join(ENCOUNTER_STATUSES)}"))
    for name in ("providers", "locations", "places_of_service"):
        for id_ in getattr(practice.maps, name):
            if not (id_.isascii() and id_.isdecimal() and len(id_) <= 18):
                problems.append((join(key, f"maps.{name}.{id_}"), f"must be an {label} id (a number)"))


def names_of(practice: PracticeConfig) -> Names:
    """What people call the two systems of the practice."""
    return Names(ehr=practice.ehr.system, billing=practice.billing.system)


def keyring_of(config: Config, beside: Path) -> Keyring:
    """The practices' keys. Raises OSError or ValueError when they cannot be read."""
    return Keyring.from_directory(resolve(config.keys.directory, beside))


CHOSEN = tuple(name for name in OverridesConfig.__struct_fields__ if name not in set(Resource))
"""What a practice may override besides the rows of the direction table; each is a member of its policy."""


def policy_of(practice: PracticeConfig) -> Policy:
    """The practice's rules: its profile with its overrides and maps."""
    overrides = practice.overrides
    table = dict(PROFILES[practice.profile])
    for resource in Resource:
        if (direction := getattr(overrides, resource.value)) is not None:
            table[resource] = direction
    wins = PREFERENCES[practice.profile]
    chosen: dict[str, Any] = {"preference": wins[Resource.DEMOGRAPHICS], "insurance_preference": wins[Resource.INSURANCE]}
    chosen |= {name: value for name in CHOSEN if (value := getattr(overrides, name)) is not None}
    return Policy(
        practice=PracticeId(practice.id),
        time_zone=practice.time_zone,
        table=table,
        providers={int(key): value for key, value in practice.maps.providers.items()},
        locations={int(key): value for key, value in practice.maps.locations.items()},
        places_of_service={int(key): value for key, value in practice.maps.places_of_service.items()},
        default_physician=practice.maps.default_physician,
        default_location=practice.maps.default_location,
        appointment_reasons=practice.maps.appointment_reasons,
        observes=practice.mode == "observe",
        names=names_of(practice),
        **chosen,
    )
