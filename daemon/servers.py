"""What is told of servers: `[postgres]`, `[kafka]`, `[keys]`, `[http]`, `[metrics]` and `[console]`, with the checks that no type can say.

What would let others on the network or the machine read patients' data is refused, unless the section says `insecure = true`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from daemon.sections import (
    LOCAL,
    ConfigProblem,
    FilledText,
    Section,
    check_private,
    check_readable,
    check_secret,
    check_url,
    or_insecure,
    resolve,
    secret,
)

ENCRYPTED = ("require", "verify-ca", "verify-full")
"""The values of `sslmode` that never fall back to plain text."""

SHOWN_FILES = 3
LEAST_KEY = 32

RoleName = Literal["viewer", "front-desk", "biller", "operator", "auditor", "admin"]
"""The roles of the web pages (daemon/console/roles.py)."""


class PostgresConfig(Section, frozen=True, kw_only=True):
    """`dsn` is the daemon's own role; `migrate_dsn` the owner's, for `chartwire migrate` only."""

    dsn: FilledText
    migrate_dsn: str = ""
    pool: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        for name in ("dsn", "migrate_dsn"):
            if dsn := getattr(self, name):
                _check_dsn(dsn, f"{key}.{name}", problems, insecure=self.insecure)
        return problems

    @property
    def holds_password(self) -> bool:
        """Whether the file itself holds a secret."""
        return any(_password(one) for one in (self.dsn, self.migrate_dsn))


class KafkaConfig(Section, frozen=True, kw_only=True):
    """`feed` publishes recorded events outward (`chartwire.events.v1`), bodies encrypted."""

    bootstrap_servers: FilledText
    group: FilledText = "chartwire"
    partitions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 12
    replication: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    idempotent: bool = True
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password_file: str = ""
    ca_file: str = ""
    session_timeout_seconds: Annotated[float, msgspec.Meta(ge=1, le=1800)] = 45.0
    feed: bool = True
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        servers = [one.strip() for one in self.bootstrap_servers.split(",")]
        if wrong := [one for one in servers if host_and_port(one) is None]:
            problems.append((f"{key}.bootstrap_servers", f"must be host:port, comma between; {wrong[0]!r} is not"))
        away = [found[0] for one in servers if (found := host_and_port(one)) is not None and not _local(found[0])]
        if away and not self.insecure and self.security_protocol.endswith("PLAINTEXT"):
            named = f"{key}.security_protocol"
            problems.append(
                (named, f"{away[0]} is another host, and without TLS: use SSL or SASL_SSL, {or_insecure(named)}")
            )
        if self.security_protocol.startswith("SASL"):
            problems += [(f"{key}.{name}", "is missing") for name in _SASL if not getattr(self, name)]
        if self.sasl_password_file:
            check_secret(self.sasl_password_file, f"{key}.sasl_password_file", beside, problems, insecure=self.insecure)
        if self.ca_file:
            check_readable(self.ca_file, f"{key}.ca_file", beside, problems)
        return problems


_SASL = ("sasl_username", "sasl_password_file")


class KeysConfig(Section, frozen=True, kw_only=True):
    """`directory` holds the practices' keys, and is nobody else's to read."""

    directory: FilledText
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        try:
            folder = resolve(self.directory, beside)
            files = sorted(folder.glob("*.key")) if folder.is_dir() else None
            for file in files or [] if not self.insecure else []:
                check_private(file, f"{key}.directory", problems)
        except (OSError, ValueError) as error:
            return [(f"{key}.directory", f"{self.directory} cannot be read ({type(error).__name__})")]
        if files is None:
            text = f"{folder} is not a directory; put it back from its backup, or for a first practice: `chartwire new-key PRACTICE`"
            return [(f"{key}.directory", text)]
        return problems[:SHOWN_FILES]


class HttpConfig(Section, frozen=True, kw_only=True):
    """`listen` is `host:port`; `public_url` the address Elation reaches it by."""

    listen: str = "127.0.0.1:8440"
    public_url: str
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        check_url(self.public_url, f"{key}.public_url", problems)
        check_listen(self.listen, f"{key}.listen", problems, insecure=self.insecure)
        return problems


class GroupConfig(Section, frozen=True, kw_only=True):
    """Who is in this group of the provider's has this role in these practices; "*" is every practice."""

    name: FilledText
    role: RoleName
    practices: tuple[FilledText, ...]


class OidcConfig(Section, frozen=True, kw_only=True):
    """An identity provider that people of the web pages sign in at (OpenID Connect).

    With `group`s the provider says who has which role; without, `chartwire user role` does. `create_users`: who signs in there with a
    role and is no user yet becomes one, named by `name_claim`. `scopes` are asked for beside openid.
    """

    issuer: FilledText
    client_id: FilledText
    client_secret_file: FilledText
    label: FilledText = "your organization"
    scopes: tuple[FilledText, ...] = ("profile",)
    name_claim: FilledText = "preferred_username"
    groups_claim: FilledText = "groups"
    create_users: bool = False
    group: tuple[GroupConfig, ...] = ()
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        check_url(self.issuer, f"{key}.issuer", problems)
        check_secret(self.client_secret_file, f"{key}.client_secret_file", beside, problems, insecure=self.insecure)
        if self.create_users and not self.group:
            problems.append((f"{key}.group", "is missing: who becomes a user by signing in needs a role by a group"))
        return problems


class ConsoleConfig(Section, frozen=True, kw_only=True):
    """The web pages. `dsn` is the console's own role; `public_url` the address that people reach it by, where it is not `listen`.

    A session ends after `idle_minutes` without a request, and after `session_hours` in any case. `behind_proxy`: the address of who
    asks is what the proxy here says last in X-Forwarded-For. `key_file` seals the second factors' secrets; `second_factor` are the
    roles that cannot do without one.
    """

    dsn: FilledText
    listen: str = "127.0.0.1:8450"
    public_url: str = ""
    pool: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    idle_minutes: Annotated[float, msgspec.Meta(gt=0, le=1440)] = 30.0
    session_hours: Annotated[float, msgspec.Meta(gt=0, le=168)] = 12.0
    behind_proxy: bool = False
    key_file: str = ""
    second_factor: tuple[RoleName, ...] = ()
    oidc: OidcConfig | None = None
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        _check_dsn(self.dsn, f"{key}.dsn", problems, insecure=self.insecure)
        if self.public_url:
            check_url(self.public_url, f"{key}.public_url", problems)
        check_listen(self.listen, f"{key}.listen", problems, insecure=self.insecure)
        if self.key_file:
            check_secret(self.key_file, f"{key}.key_file", beside, problems, insecure=self.insecure)
            if not any(one == f"{key}.key_file" for one, _ in problems) and len(secret(self.key_file, beside)) < LEAST_KEY:
                problems.append(
                    (f"{key}.key_file", f"needs at least {LEAST_KEY} characters: `openssl rand -hex 32` prints 64")
                )
        elif self.second_factor:
            problems.append((f"{key}.key_file", "is missing: second factors are sealed with it"))
        return problems + (self.oidc.check(f"{key}.oidc", beside) if self.oidc is not None else [])

    @property
    def url(self) -> str:
        """The address that people reach it by."""
        return (self.public_url or f"http://{self.listen}").rstrip("/")

    @property
    def holds_password(self) -> bool:
        """Whether the file itself holds a secret."""
        return _password(self.dsn)


class MetricsConfig(Section, frozen=True, kw_only=True):
    """`listen` is `host:port` of a listener for Prometheus, "" for none; `per_practice` has series of single practices, too."""

    listen: str = ""
    per_practice: bool = True
    insecure: bool = False

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        if self.listen:
            check_listen(self.listen, f"{key}.listen", problems, insecure=self.insecure)
        return problems


class TracesConfig(Section, frozen=True, kw_only=True):
    """`endpoint` is a collector's for OpenTelemetry (OTLP over HTTP), "" for none; `share` of all changes are followed, each to its end."""

    endpoint: str = ""
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0

    def check(self, key: str, beside: Path) -> list[ConfigProblem]:
        problems: list[ConfigProblem] = []
        if self.endpoint:
            check_url(self.endpoint, f"{key}.endpoint", problems)
            if not _traceable():
                problems.append((f"{key}.endpoint", "traces are not installed: pip install 'chartwire[otel]'"))
        return problems


def _traceable() -> bool:
    try:
        return find_spec("opentelemetry.sdk") is not None and find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def check_listen(listen: str, key: str, problems: list[ConfigProblem], *, insecure: bool) -> None:
    """An address to take plain HTTP at: of this machine alone, unless that is meant otherwise."""
    found = host_and_port(listen)
    if found is None:
        problems.append((key, "must be host:port (an IPv6 address stands in brackets)"))
    elif not insecure and not _local(found[0]):
        problems.append((key, f"takes plain HTTP from other machines: let a proxy here do TLS, {or_insecure(key)}"))


def host_and_port(address: str) -> tuple[str, int] | None:
    """The parts of `host:port`; an IPv6 host without its brackets. None for anything else."""
    host, _, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not host or not host.isprintable() or (":" in host) is not bracketed or set(host) & set("[]/@ "):
        return None
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65_535):
        return None
    return host, int(port)


def _local(host: str) -> bool:
    return host in LOCAL or host.startswith(("/", "127."))


def _check_dsn(dsn: str, key: str, problems: list[ConfigProblem], *, insecure: bool) -> None:
    try:
        scheme, hosts, mode = _postgres_hosts(dsn)
    except ValueError:
        scheme, hosts, mode = "", [], ""
    if scheme not in ("postgresql", "postgres"):
        problems.append((key, "must be postgresql://USER@HOST:PORT/DATABASE (an IPv6 address stands in brackets)"))
    elif not insecure and mode not in ENCRYPTED and (away := [one for one in hosts if not _local(one)]):
        text = f"{away[0]} is another host, and without TLS: add ?sslmode=verify-full, {or_insecure(key)}"
        problems.append((key, text))


def _postgres_hosts(dsn: str) -> tuple[str, list[str], str]:
    """The scheme, the hosts (a socket's folder is one, "" the default) and the `sslmode`. Raises ValueError."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    place = parts.netloc.rpartition("@")[2]
    named = [unquote(one) for one in (place or query.get("host", "")).split(",")]
    hosts = []
    for one in named:
        found = host_and_port(one) if ":" in one else (one.strip("[]"), 0)
        if found is None and (one.startswith(":") or not one.startswith("/")):
            found = host_and_port(f"localhost{one}")
        if found is None:
            raise ValueError("neither a host nor host:port")
        hosts.append(found[0])
    return parts.scheme, hosts, query.get("sslmode", "")


def _password(dsn: str) -> bool:
    try:
        parts = urlsplit(dsn)
        return bool(parts.password) or "password" in dict(parse_qsl(parts.query))
    except ValueError:
        return False
