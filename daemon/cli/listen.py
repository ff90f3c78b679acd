"""`chartwire listen`: recorded events as they are published outward, one JSON object a line, each once and in order."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer

from daemon.cli.advice import add_config
from daemon.cli.common import KafkaAway, configured, opened
from daemon.cli.parsers import Commands
from daemon.cli.printing import say, warn
from daemon.config import Config
from daemon.runtime.kafka import bus_of
from events.bus import Bus
from events.codec import KeyMissing, Keyring, UnreadableEvent
from events.feed import ENVELOPE, InOrder, NotAnEvent, Published, decode_published
from events.topics import EVENTS

BROKER_SECONDS = 20.0


def register(commands: Commands) -> None:
    parser = commands.add_parser("listen", help="recorded events as they are published outward")
    parser.add_argument("practice", nargs="*", help="only these (default: all)")
    parser.add_argument("--new", action="store_true", help="only what comes from now on (default: all that Kafka still has)")
    parser.add_argument("--bodies", action="store_true", help="decrypt the bodies (patients' data!)")
    add_config(parser)
    parser.set_defaults(handler=listen)


def listen(arguments: argparse.Namespace) -> int:
    """Listens until interrupted."""
    found = configured(arguments)
    if found is None:
        return 1
    config, beside = found
    return asyncio.run(_listen(config, beside, set(arguments.practice), arguments.new, arguments.bodies))


async def _listen(config: Config, beside: Path, wanted: set[str], new: bool, bodies: bool) -> int:
    """Bodies are opened with the practices' data keys, which lie in PostgreSQL."""
    async with contextlib.AsyncExitStack() as stack:
        keyring = (await stack.enter_async_context(opened(config, beside))).keyring if bodies else Keyring({})
        await _print(bus_of(config, beside, keyring), wanted, new, keyring if bodies else None)
    return 0


async def _print(bus: Bus, wanted: set[str], new: bool, keyring: Keyring | None) -> None:
    order = InOrder()
    consumer = AIOKafkaConsumer(
        EVENTS,
        bootstrap_servers=bus.bootstrap_servers,
        auto_offset_reset="latest" if new else "earliest",
        **bus.security,
    )
    try:
        await _started(consumer)
        async for message in consumer:
            try:
                event = decode_published(message.value)
            except NotAnEvent as error:
                warn(f"{EVENTS} partition {message.partition} offset {message.offset}: {error}")
                continue
            if order.accept(event) and (not wanted or event.practice in wanted):
                say(await _line(event, keyring), flush=True)
    finally:
        await consumer.stop()


async def _line(event: Published, keyring: Keyring | None) -> str:
    """With the data keys of now, where the event is sealed with one that is not known yet."""
    if keyring is not None and not keyring.knows(event.key_id):
        await keyring.refresh([event.practice])
    return line(event, keyring)


async def _started(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await consumer.start()
    except (OSError, TimeoutError) as error:
        raise KafkaAway from error


def line(event: Published, keyring: Keyring | None) -> str:
    """The envelope as JSON; with a keyring also the body, or why it cannot be read."""
    shown: dict[str, object] = {name: getattr(event, name) for name in ENVELOPE}
    if keyring is not None:
        try:
            shown["body"] = event.open(keyring).event.body
        except (KeyMissing, UnreadableEvent) as error:
            shown["unreadable"] = type(error).__name__
    return msgspec.json.encode(shown).decode()
