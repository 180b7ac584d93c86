"""Requests that two programs may read in two ways, byte by byte."""

from tests.support.wire import head

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: broker\r\nX-Rest: "
_HOST = b"Host: broker\r\n"
_POST = b"POST /v1/token HTTP/1.1\r\n" + _HOST + b"Content-Type: application/json\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_END = b"0\r\n\r\n"


def _post(fields: bytes, body: bytes = b"{}") -> bytes:
    return _POST + fields + b"\r\n" + body + SMUGGLED


def _chunks(body: bytes) -> bytes:
    return _post(_CHUNKED, body)


def _get(line: bytes, fields: bytes = _HOST) -> bytes:
    return line + b"\r\n" + fields + b"\r\n" + SMUGGLED


AMBIGUOUS = {
    "length and chunks": _post(b"Content-Length: 4\r\n" + _CHUNKED, _END),
    "chunks and length": _post(_CHUNKED + b"Content-Length: 4\r\n", _END),
    "length twice": _post(b"Content-Length: 2\r\nContent-Length: 50\r\n"),
    "same length twice": _post(b"Content-Length: 2\r\nContent-Length: 2\r\n"),
    "list of lengths": _post(b"Content-Length: 2, 2\r\n"),
    "length with a sign": _post(b"Content-Length: +2\r\n"),
    "length below nothing": _post(b"Content-Length: -1\r\n"),
    "length in hexadecimal": _post(b"Content-Length: 0x2\r\n"),
    "length with a low line": _post(b"Content-Length: 1_0\r\n"),
    "length beyond numbers": _post(b"Content-Length: 99999999999999999999999\r\n"),
    "no length": _post(b"Content-Length: \r\n"),
    "space before the colon": _post(b"Content-Length : 2\r\n"),
    "unknown coding": _post(b"Transfer-Encoding: xchunked\r\n", _END),
    "coding behind a tab": _post(b"Transfer-Encoding: \x0bchunked\r\n", _END),
    "chunks twice": _post(2 * _CHUNKED, _END),
    "chunks, then none": _post(_CHUNKED + b"Transfer-Encoding: identity\r\n", _END),
    "chunks in a list": _post(b"Transfer-Encoding: chunked, identity\r\n", _END),
    "compressed chunks": _post(b"Transfer-Encoding: gzip, chunked\r\n", _END),
    "chunks in HTTP/1.0": _post(_CHUNKED, _END).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "folded coding": _post(b"Transfer-Encoding:\r\n chunked\r\n", _END),
    "folded field": _get(b"GET /healthz HTTP/1.1", _HOST + b"X-A: a\r\n b\r\n"),
    "folded first field": _get(b"GET /healthz HTTP/1.1", b" " + _HOST),
    "lines that end in LF": b"GET /healthz HTTP/1.1\nHost: broker\n\n" + SMUGGLED,
    "one line that ends in LF": _get(b"GET /healthz HTTP/1.1", b"X-A: a\n" + _HOST),
    "last line in LF": b"GET /healthz HTTP/1.1\r\nHost: broker\r\n\n" + SMUGGLED,
    "a CR inside": _get(b"GET /healthz HTTP/1.1", _HOST + b"X-A: a\rX-B: b\r\n"),
    "NUL in a value": _get(b"GET /healthz HTTP/1.1", _HOST + b"X-A: a\0b\r\n"),
    "NUL in a name": _get(b"GET /healthz HTTP/1.1", _HOST + b"X\0A: a\r\n"),
    "no host": _get(b"GET /healthz HTTP/1.1", b""),
    "two hosts": _get(b"GET /healthz HTTP/1.1", _HOST + b"Host: evil.example\r\n"),
    "a whole address": _get(b"GET https://evil.example/healthz HTTP/1.1"),
    "our whole address": _get(b"GET http://broker/v1/nonce HTTP/1.1"),
    "CONNECT": _get(b"CONNECT evil.example:443 HTTP/1.1"),
    "CONNECT to a path": _get(b"CONNECT /healthz HTTP/1.1"),
    "CONNECT to nothing": _get(b"CONNECT  HTTP/1.1"),
    "a star": _get(b"OPTIONS * HTTP/1.1"),
    "a fragment": _get(b"GET /healthz#part HTTP/1.1"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n" + SMUGGLED,
    "HTTP/1.0": _get(b"GET /healthz HTTP/1.0"),
    "HTTP/1.9": _get(b"GET /healthz HTTP/1.9"),
    "HTTP/2.0": _get(b"GET /healthz HTTP/2.0"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tabs for spaces": _get(b"GET\t/healthz\tHTTP/1.1"),
    "a chunk beyond numbers": _chunks(b"FFFFFFFFFFFFFFFFF\r\n{}\r\n" + _END),
    "a chunk with a sign": _chunks(b"+2\r\n{}\r\n" + _END),
    "a chunk with 0x": _chunks(b"0x2\r\n{}\r\n" + _END),
    "a chunk with a low line": _chunks(b"0_2\r\n{}\r\n" + _END),
    "a chunk below nothing": _chunks(b"-2\r\n{}\r\n" + _END),
    "chunks in LF": _chunks(b"2\n{}\n0\n\n"),
    "a chunk that does not end": _chunks(b"2\r\n{}XX" + _END),
    "LF in a chunk's extension": _chunks(b"2;a\nb\r\n{}\r\n" + _END),
    "a length behind the chunks": _chunks(b"2\r\n{}\r\n0\r\nContent-Length: 50\r\n\r\n"),
    "an upgrade with a body": head(
        "GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
        f"Content-Length: {len(SMUGGLED)}",
    ) + SMUGGLED,
    "an upgrade with chunks": head(
        "GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
        "Transfer-Encoding: chunked",
    ) + _END + SMUGGLED,
    "an upgrade of another version": head(
        "GET", "/v1/socket", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 777", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
    ) + SMUGGLED,
}  # fmt: skip

COMPRESSED = {
    coding: head("POST", "/v1/token", "Content-Type: application/json", "Content-Length: 2",
                 f"Content-Encoding: {coding}") + b"{}"
    for coding in ("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip")
}  # fmt: skip

_LONG = "a" * 8_200
OVERSIZED = {
    "a long path": head("GET", f"/{_LONG}"),
    "a long query": head("GET", f"/healthz?{_LONG}"),
    "a long method": head("A" * 8_200, "/healthz"),
    "a long field": head("GET", "/healthz", f"X-A: {_LONG}"),
    "a long name": head("GET", "/healthz", f"{_LONG}: a"),
    "many fields": head("GET", "/healthz", *(f"X-{n}: a" for n in range(65))),
    "a terabyte": head("POST", "/v1/token", "Content-Type: application/json",
                       "Content-Length: 1000000000000"),
    "a terabyte of objects": head("POST", "/v1/bundles", "Content-Length: 1000000000000"),
    "a terabyte of a file": head("PUT", f"/v1/blobs/{'0' * 64}/parts/0",
                                 "Content-Length: 1000000000000"),
}  # fmt: skip
