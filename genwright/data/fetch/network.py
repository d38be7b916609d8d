"""Connections to hosts nobody vouches for: public addresses only, and never longer than a deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx

from genwright.core.errors import DataError

NETWORK_ERRORS = (httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
"""What a connection that fails, stalls or breaks off raises."""

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where IPv6 wraps an IPv4 address (RFC 4291, 3056, 4380,
    6052): no loopback, private, link-local, shared, multicast, reserved or unspecified one."""
    parsed = ip_address(address)
    return all(a.is_global and not a.is_multicast for a in (parsed, *_wrapped(parsed)))


def _wrapped(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64 or int(address) < 2**32:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


class GuardedTransport(httpx.BaseTransport):
    """Resolves a host, checks its addresses and connects to the very address that was checked, for each redirect anew; so
    neither a decimal address, a redirect nor a name that resolves differently the second time leads inside.

    `allow_hosts` are host names, as written in a URL, that may have any address. `deadline` is a `time.monotonic()` after
    which every connection fails, however steadily it drips. Raises DataError for both.
    """

    def __init__(self, allow_hosts: Collection[str], deadline: float) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_keepalive_connections=0,
            network_backend=_GuardedBackend({host.lower() for host in allow_hosts}, deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"{request.url.scheme!r} is not http or https", request=request)
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, allow_hosts: Collection[str], deadline: float) -> None:
        self._inner, self._allow_hosts, self._deadline = httpcore.SyncBackend(), allow_hosts, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in self._addresses(host, port):
            try:
                stream = self._inner.connect_tcp(address, port, _left(self._deadline, timeout), local_address, socket_options)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        assert failure is not None
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be connected to. Raises DataError when it has others only."""
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        allowed = found if host.lower() in self._allow_hosts else [address for address in found if is_public(address)]
        if not allowed:
            raise DataError(
                f"{host} is not on the public internet, so nothing is fetched from it.",
                got=", ".join(found),
                allowed="hosts with public addresses, and those in `allow_hosts`",
                do=f"if you trust it, add `allow_hosts: [{host!r}]` to the source in the recipe",
            )
        return allowed


class _TimedStream(httpcore.NetworkStream):
    """A stream every step of which ends by the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> _TimedStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DataError(
            "Fetching took longer than is allowed.",
            do="raise `minutes` of the source in the recipe, or run again: what has arrived is kept",
        )
    return left if timeout is None else min(left, timeout)
