"""What `chartwire doctor` asks Kareo about one practice: the service's description, access, the practice's name, and rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from daemon.findings import Finding, error
from daemon.vendors.kareo.client import KareoClient
from daemon.vendors.kareo.section import KareoConfig
from daemon.vendors.ports.errors import Refused, Throttled, Unauthorized, VendorError
from events.ids import PracticeId


def undescribed(section: KareoConfig, key: str, practice: PracticeId, failure: Exception) -> Finding:
    text = f"the WSDL cannot be loaded ({type(failure).__name__})"
    return error("wsdl", f"{key}.wsdl", text, f"correct wsdl in [{key}]; the address opens in a browser", practice)


async def examine_kareo(client: KareoClient, section: KareoConfig, key: str, practice: PracticeId) -> list[Finding]:
    """Everything; what cannot be had access to ends it."""
    try:
        names = [one.name for one in await client.get_practices()]
    except VendorError as failure:
        return [_no_access(failure, section, key, practice)]
    if section.practice_name not in names:
        text = "no practice of exactly this name is visible to this user"
        repair = f"practice_name in [{key}], letter by letter as Kareo writes it (Settings, Practice Information)"
        return [error("practice-name", f"{key}.practice_name", text, repair, practice)]
    return await _rights(client, section, key, practice)


def _no_access(failure: VendorError, section: KareoConfig, key: str, practice: PracticeId) -> Finding:
    if isinstance(failure, Throttled):
        return _throttled(failure, section, key, practice)
    if isinstance(failure, Unauthorized):
        text = "Kareo refuses the customer key, the user or the password"
        repair = f"put them into {section.customer_key_file} and {section.password_file}, then systemctl reload chartwire"
        return error("credentials", f"{key}.password_file", text, repair, practice)
    text = f"Kareo does not answer ({type(failure).__name__} at {failure.operation})"
    return error("vendor-away", f"{key}.endpoint", text, "Kareo's status page, or correct endpoint", practice)


def _throttled(failure: Throttled, section: KareoConfig, key: str, practice: PracticeId) -> Finding:
    text = f"Kareo asks for patience at each try ({failure.operation}): somebody else uses this customer key, and chartwire is slowed down"
    repair = (
        f"give whoever else uses the key of {section.customer_key_file} one of their own, or have them call less; then "
        f"`chartwire doctor {practice}` (`chartwire status {practice}` shows chartwire's own part)"
    )
    return error("throttled", f"{key}.customer_key_file", text, repair, practice)


async def _rights(client: KareoClient, section: KareoConfig, key: str, practice: PracticeId) -> list[Finding]:
    calls: Mapping[str, Callable[[], Awaitable[object]]] = {
        "GetProviders": client.get_providers,
        "GetServiceLocations": client.get_service_locations,
    }
    found = []
    for name, call in calls.items():
        try:
            await call()
        except (Unauthorized, Refused):
            text, repair = (
                f"{section.user} may not call {name}",
                f"give {section.user} the right in Kareo (Settings, User Accounts)",
            )
            found.append(error("right", key, text, repair, practice))
        except Throttled as failure:
            return [*found, _throttled(failure, section, key, practice)]
        except VendorError as failure:
            text = f"{name} fails ({type(failure).__name__})"
            found.append(error("right", key, text, "Kareo's status page", practice))
    return found
