"""`chartwire user`: who may sign in to the console, as what, in which practice.

Works with the console's own role (`[console] dsn`); each change is in the access log. A password is asked for, or read from a file: it
is never an argument.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.advice import add_config, advice
from daemon.cli.common import configured, console_of, run_async
from daemon.cli.ended import Ended
from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from daemon.operator.commands import login
from daemon.tables import access, accounts, identity
from events.connection import ConnectionPool
from events.pool import open_pool

if TYPE_CHECKING:
    from daemon.config import Config

AccountAction = Callable[[ConnectionPool, argparse.Namespace, "Config"], Awaitable[None]]


def register(commands: Commands) -> None:
    parser = commands.add_parser("user", help="who may sign in to the console, and as what")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, deed: AccountAction, help_: str) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=help_)
        if name != "list":
            action.add_argument("name", help="the user's name")
        add_config(action)
        action.set_defaults(handler=lambda arguments: _run(arguments, deed))
        return action

    made = add("add", _add, "a new user; a password is asked for")
    made.add_argument("--no-password", action="store_true", help="sign in by link only, until a password is set")
    role = add("role", _role, "give a role in a practice, or take it")
    role.add_argument("practice", help="the practice's id; '*' for all")
    role.add_argument("role", help="viewer, front-desk, biller, operator, auditor or admin")
    role.add_argument("--remove", action="store_true", help="take it")
    add("disable", _disable, "let the user in no more; open sessions end")
    add("enable", _enable, "let the user in again")
    password = add("password", _password, "another password; open sessions end")
    for one in (made, password):
        one.add_argument("--password-file", type=Path, help="read it from the first line of a file, or - for stdin")
    subject = add("subject", _subject, "who the user is at the identity provider of [console.oidc]")
    subject.add_argument("subject", help="what the provider calls the user for good (the claim sub)")
    add("reset-second-factor", _reset_factor, "take a second factor whose device is gone; open sessions end")
    add("link", _link, "an address that signs the user in once, within a quarter of an hour")
    add("list", _list, "all users with their roles")


def _run(arguments: argparse.Namespace, deed: AccountAction) -> int:
    found = configured(arguments, secrets=False)
    if found is None:
        return 1
    config, _ = found
    console = console_of(config)

    async def work() -> int:
        pool = await open_pool(console.dsn, min_size=1, max_size=1)
        try:
            await deed(pool, arguments, config)
        finally:
            await pool.close()
        return 0

    return run_async(work())


async def _add(pool: ConnectionPool, arguments: argparse.Namespace, _config: Config) -> None:
    name: str = arguments.name
    if not accounts.is_name(name.lower()):
        raise Ended("name: must be 1 to 64 letters, digits and . - _ @")
    if name != name.lower():
        raise Ended("name: must be in small letters")
    kept = "" if arguments.no_password else await _asked_for(arguments)
    if not await accounts.add(pool, name, kept):
        raise Ended(f"{name} is a user already", 1)
    await _recorded(pool, "user added", name)
    say(f"{name} is a user; give a role with `{advice(f'user role {name} PRACTICE ROLE', arguments)}`")


async def _role(pool: ConnectionPool, arguments: argparse.Namespace, config: Config) -> None:
    from daemon.console.roles import Role

    if arguments.role not in set(Role):
        raise Ended(f"role: must be one of {', '.join(Role)}")
    if arguments.practice != accounts.EVERYWHERE and arguments.practice not in [one.id for one in config.practice]:
        raise Ended(f"practice: {arguments.practice} is not in the configuration", 1)
    await _there(pool, arguments.name)
    held = not arguments.remove
    if not await accounts.set_role(pool, arguments.name, arguments.practice, arguments.role, held=held):
        raise Ended(f"{arguments.name} {'has that role already' if held else 'does not have that role'}", 1)
    where = "all practices" if arguments.practice == accounts.EVERYWHERE else arguments.practice
    done = f"{arguments.role} of {where}"
    await _recorded(pool, "role given" if held else "role taken", f"{arguments.name}: {done}")
    say(f"{arguments.name} is {'now' if held else 'no longer'} {done}; open sessions have ended")


async def _disable(pool: ConnectionPool, arguments: argparse.Namespace, _config: Config) -> None:
    await _there(pool, arguments.name)
    await accounts.set_disabled(pool, arguments.name, disabled=True)
    await _recorded(pool, "user disabled", arguments.name)
    say(f"{arguments.name} cannot sign in any more; open sessions have ended")


async def _enable(pool: ConnectionPool, arguments: argparse.Namespace, _config: Config) -> None:
    await _there(pool, arguments.name)
    await accounts.set_disabled(pool, arguments.name, disabled=False)
    await _recorded(pool, "user enabled", arguments.name)
    say(f"{arguments.name} can sign in again")


async def _password(pool: ConnectionPool, arguments: argparse.Namespace, _config: Config) -> None:
    await _there(pool, arguments.name)
    await accounts.set_password(pool, arguments.name, await _asked_for(arguments))
    await _recorded(pool, "password set", arguments.name)
    say(f"{arguments.name} has another password; open sessions have ended")


async def _subject(pool: ConnectionPool, arguments: argparse.Namespace, config: Config) -> None:
    oidc = console_of(config).oidc
    if oidc is None:
        raise Ended("console.oidc: the configuration has no such section", 1)
    await _there(pool, arguments.name)
    if not await identity.add_identity(pool, oidc.issuer, arguments.subject, arguments.name):
        raise Ended(f"{arguments.subject} is a user already", 1)
    await _recorded(pool, "subject given", arguments.name)
    say(f"{arguments.name} signs in at {oidc.issuer}")


async def _reset_factor(pool: ConnectionPool, arguments: argparse.Namespace, _config: Config) -> None:
    await _there(pool, arguments.name)
    if not await identity.remove_factor(pool, arguments.name):
        raise Ended(f"{arguments.name} has no second factor", 1)
    await _recorded(pool, "second factor reset", arguments.name)
    say(f"{arguments.name} signs in without a second factor until there is another one; open sessions have ended")


async def _link(pool: ConnectionPool, arguments: argparse.Namespace, config: Config) -> None:
    from daemon.console.sessions import make_link

    await _there(pool, arguments.name)
    token = await make_link(pool, arguments.name, login())
    say(f"{console_of(config).url}/enter/{token}")


async def _list(pool: ConnectionPool, _arguments: argparse.Namespace, _config: Config) -> None:
    for name in await accounts.names(pool):
        found = await accounts.account(pool, name)
        if found is not None:
            roles = ", ".join(f"{role} of {where}" for where, role in found.roles) or "no role"
            say(f"{name}: {'disabled; ' if found.disabled else ''}{roles}{'' if found.password else '; no password'}")


async def _there(pool: ConnectionPool, name: str) -> None:
    if await accounts.account(pool, name) is None:
        raise Ended(f"{name} is no user", 1)


async def _recorded(pool: ConnectionPool, what: str, detail: str) -> None:
    await access.record(pool, access.NOWHERE, login(), what, address="command line", detail=detail)


async def _asked_for(arguments: argparse.Namespace) -> str:
    """The hash of the password that was typed, or lies in the file. Raises Ended."""
    from daemon.console.passwords import Passwords, too_weak

    if arguments.password_file is None:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise Ended("the two are not the same", 1)
    elif str(arguments.password_file) == "-":
        password = sys.stdin.readline().rstrip("\n")
    else:
        try:
            password = arguments.password_file.read_text().split("\n")[0]
        except (OSError, UnicodeDecodeError):
            raise Ended(f"--password-file: {arguments.password_file} cannot be read") from None
    if problem := too_weak(arguments.name, password):
        raise Ended(f"the password {problem}", 1)
    return await Passwords().hashed(password)
