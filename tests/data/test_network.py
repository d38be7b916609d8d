"""Only public addresses are connected to: however the address is written, and whatever a name resolves to later."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genwright.core.errors import DataError
from genwright.data.fetch.network import GuardedTransport, is_public

INSIDE = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"]


@pytest.mark.parametrize(
    "address", [*INSIDE, "255.255.255.255", "::1", "::", "fe80::1%lo", "fc00::1", "ff02::1", "::127.0.0.1"]
)
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@given(st.sampled_from(INSIDE).map(IPv4Address))
def test_an_inner_address_wrapped_in_ipv6_is_not_public(inner: IPv4Address) -> None:
    number = int(inner)
    nat64 = int(IPv6Address("64:ff9b::"))
    for wrapped in (
        0xFFFF << 32 | number,
        nat64 | number,
        0x2002 << 112 | number << 80,
        0x20010000 << 96 | (number ^ 0xFFFFFFFF),
    ):
        assert not is_public(str(IPv6Address(wrapped)))


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port on loopback and whoever connected to it."""
    seen: list[object] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                seen.append(peer)
                with connection:
                    connection.recv(65536)  # closing on unread bytes would reset the connection instead of ending it

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def get(url: str, *allow: str) -> httpx.Response:
    with httpx.Client(transport=GuardedTransport(allow, time.monotonic() + 10), timeout=5) as client:
        return client.get(url)


HOSTS = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "0"]


@pytest.mark.parametrize("host", HOSTS)
def test_loopback_is_refused_before_a_connection_however_it_is_written(host: str, listener: tuple[int, list[object]]) -> None:
    port, seen = listener
    with pytest.raises((DataError, httpx.InvalidURL)) as caught:
        get(f"http://{host}:{port}/")
    assert seen == []
    if isinstance(caught.value, DataError):
        assert "allow_hosts" in str(caught.value)


def test_an_allowed_host_is_connected_to(listener: tuple[int, list[object]]) -> None:
    port, seen = listener
    with pytest.raises(Exception, match="disconnected"):
        get(f"http://LOCALHOST:{port}/", "localhost")
    assert seen


def test_the_address_that_was_checked_is_the_one_connected_to(
    listener: tuple[int, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the name is public when it is checked and loopback when it is asked for again."""
    port, seen = listener
    answers = iter(["192.0.2.1"])
    real, asked = socket.getaddrinfo, []

    def resolve(host: object, *rest: object, **options: object) -> object:
        if host != "rebind.example":
            return real(host, *rest, **options)  # type: ignore[arg-type]
        asked.append(host)
        address = next(answers, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("genwright.data.fetch.network.is_public", lambda address: address != "127.0.0.1")
    with httpx.Client(transport=GuardedTransport((), time.monotonic() + 1), timeout=1) as client, pytest.raises(Exception):  # noqa: B017
        client.get(f"http://rebind.example:{port}/")
    assert len(asked) == 1
    assert seen == []


SPELLINGS = ["{n}", "0x{n:x}", "0{n:o}", "{a}.{rest}", "0{a:o}.0x{b:x}.{c}.{d}", "{a}.{b}.{tail}", "[::ffff:{a}.{b}.{c}.{d}]"]


@given(
    inner=st.sampled_from([IPv4Network("127.0.0.0/8"), IPv4Network("10.0.0.0/8"), IPv4Network("169.254.0.0/16")]),
    offset=st.integers(0, 2**16 - 1),
    spelling=st.sampled_from(SPELLINGS),
)
def test_no_spelling_of_an_inner_address_is_connected_to(inner: IPv4Network, offset: int, spelling: str) -> None:
    address = inner[offset]
    a, b, c, d = address.packed
    host = spelling.format(n=int(address), a=a, b=b, c=c, d=d, rest=int(address) % 2**24, tail=int(address) % 2**16)
    with pytest.raises((DataError, httpx.InvalidURL)):
        get(f"http://{host}:9/")
