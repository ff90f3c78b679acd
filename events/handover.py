"""Who gets which partition when the group assigns anew: what somebody holds stays, and moves only once it has been put down.

aiokafka's protocol is eager: at each rebalance everybody gives everything back on paper. Here each member says what it holds, and
a partition that is to move is given to nobody until its holder has drained it and has the group assign again (what KIP-429
does in Java). So a practice that stays is not interrupted, and one that moves has one owner at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

NAME = "chartwire-handover"


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """What a member holds, and in which generation of the group it was its own: -1 when the group has forgotten the member."""

    generation: int = -1
    partitions: tuple[int, ...] = ()


def share(partitions: Collection[int], claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Partitions by member: as even as possible, as few moves as possible, nothing that another member holds.

    The newest claim to a partition counts. Together the shares may hold fewer than all `partitions`: those that are missing
    have to be put down first.
    """
    holders: dict[int, str] = {}
    for member in sorted(claims, key=lambda name: (claims[name].generation, name)):
        holders |= dict.fromkeys((one for one in claims[member].partitions if one in partitions), member)
    held = {member: sorted(one for one, holder in holders.items() if holder == member) for member in claims}
    least, more = divmod(len(partitions), len(claims))
    shares: dict[str, list[int]] = {}
    quotas: dict[str, int] = {}
    for rank, member in enumerate(sorted(claims, key=lambda name: (-len(held[name]), name))):
        quotas[member] = least + (rank < more)
        shares[member] = held[member][: quotas[member]]
    for one in sorted(set(partitions) - set(holders)):
        member = min(claims, key=lambda name: (len(shares[name]) - quotas[name], name))
        shares[member].append(one)
    return shares


class Handover(AbstractPartitionAssignor):  # type: ignore[misc]
    """The assignor of one consumer; `claim` says what it holds when the group asks."""

    name = NAME
    version = 0

    def __init__(self, claim: Callable[[], Claim]) -> None:
        self._claim = claim

    def metadata(self, topics: Iterable[str]) -> Any:
        return ConsumerProtocolMemberMetadata(self.version, list(topics), msgspec.msgpack.encode(self._claim()))

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        claims = {member: _claim(metadata.user_data) for member, metadata in members.items()}
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        shares = {topic: share(cluster.partitions_for_topic(topic) or (), claims) for topic in topics}
        return {
            member: ConsumerProtocolMemberAssignment(
                self.version, [(topic, sorted(shares[topic][member])) for topic in topics], b""
            )
            for member in members
        }

    def on_assignment(self, assignment: Any) -> None:
        """Nothing to keep: what is held is what the consumer holds."""


def _claim(encoded: bytes | None) -> Claim:
    try:
        return msgspec.msgpack.decode(encoded or b"", type=Claim)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Claim()


def numbers(partitions: Iterable[TopicPartition]) -> tuple[int, ...]:
    return tuple(sorted(one.partition for one in partitions))
