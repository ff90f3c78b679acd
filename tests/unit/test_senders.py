"""Where a request comes from: what the proxy here says last, and nothing that a client says before it."""

from __future__ import annotations

import pytest

from daemon.console.senders import address_of, network_of


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        (["198.51.100.7", "192.0.2.1, 203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8::1]:4711"], "2001:db8::1"),
        (["2001:DB8:0:0::1"], "2001:db8::1"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["unknown"], "10.0.0.1"),
        (["203.0.113.9, "], "10.0.0.1"),
        (["<script>"], "10.0.0.1"),
    ],
)
def test_the_last_of_what_is_said_counts_and_only_an_address(forwarded: list[str], address: str) -> None:
    assert address_of("10.0.0.1", forwarded) == address


def test_all_of_a_network_is_counted_together() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8:0:0:ffff:ffff:ffff:ffff") == "2001:db8::/64"
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert (network_of(""), network_of("a:word")) == ("", "a:word")
