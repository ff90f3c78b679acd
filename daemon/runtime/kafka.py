"""The Kafka bus as it is configured: apart from all else that a worker shares, so that who only looks loads nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from daemon.config import Config
from daemon.runtime.vendor_accounts import accounts
from daemon.sections import secret
from events.bus import Bus
from events.codec import Keyring
from events.ids import PracticeId


def bus_of(config: Config, beside: Path, keyring: Keyring, *, together: Mapping[PracticeId, str] | None = None) -> Bus:
    """The Kafka bus as configured (security options by aiokafka's names).

    `together` are the practices that share an account, for who may not read the vendors' secrets that tell it.
    """
    kafka = config.kafka
    security: dict[str, object] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL"):
        security |= {"sasl_mechanism": kafka.sasl_mechanism, "sasl_plain_username": kafka.sasl_username}
        if kafka.sasl_password_file:
            security["sasl_plain_password"] = secret(kafka.sasl_password_file, beside)
    if kafka.security_protocol.endswith("SSL"):
        from aiokafka.helpers import create_ssl_context

        security["ssl_context"] = create_ssl_context(cafile=kafka.ca_file or None)
    return Bus(
        kafka.bootstrap_servers,
        security,
        keyring,
        enable_idempotence=kafka.idempotent,
        together=accounts(config, beside) if together is None else together,
    )
