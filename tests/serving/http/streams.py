"""Byte streams, each with what it must be read as."""

from __future__ import annotations

from typing import NamedTuple

HOST = b"Host: x\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /echo/next HTTP/1.1\r\nHost: x\r\n\r\n"
"""Comes after each of the streams: whether it is answered says where they were thought to end."""


class Stream(NamedTuple):
    """Bytes that a client sends.

    data:   one request, or what is none.
    status: what it is answered.
    body:   what the handler gets, if it gets it.
    code:   else: of the refusal.
    """

    data: bytes
    status: int = 200
    body: str = ""
    code: str = ""


def refused(data: bytes, code: str = "bad_request", status: int = 400) -> Stream:
    return Stream(data, status, code=code)


READ = {
    "a GET": Stream(GET + b"\r\n"),
    "empty lines before": Stream(b"\r\n\r\n" + GET + b"\r\n"),
    "a body by its length": Stream(POST + b"Content-Length: 3\r\n\r\nabc", body="abc"),
    "a length of nought": Stream(POST + b"Content-Length: 0\r\n\r\n"),
    "a length with blanks around": Stream(POST + b"Content-Length:  3 \r\n\r\nabc", body="abc"),
    "a body of a GET": Stream(GET + b"Content-Length: 3\r\n\r\nabc", body="abc"),
    "a body that looks like a request": Stream(
        POST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT, body=NEXT.decode()
    ),
    "chunks": Stream(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", body="abcde"),
    "chunks in capitals": Stream(
        POST + b"Transfer-Encoding: CHUNKED\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", body="0123456789"
    ),
    "chunks with extensions": Stream(CHUNKED + b"3;a=b\r\nabc\r\n0;c\r\n\r\n", body="abc"),
    "chunks with trailers": Stream(CHUNKED + b"3\r\nabc\r\n0\r\nA: b\r\nHost: y\r\n\r\n", body="abc"),
    "a chunk that looks like a request": Stream(
        CHUNKED + b"%x\r\n" % len(NEXT) + NEXT + b"\r\n0\r\n\r\n", body=NEXT.decode()
    ),
    "headers without values": Stream(GET + b"A:\r\nB: \r\n\r\n"),
    "bytes above 127 in a value": Stream(GET + b"A: \xe4\xff\r\n\r\n"),
    "a wish to upgrade": Stream(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    "a wish to upgrade, with a body": Stream(
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", body="abc"
    ),
    "a whole address": Stream(b"GET http://x/echo HTTP/1.1\r\n" + HOST + b"\r\n"),
}
"""Requests, each of which is answered."""

REFUSED = {
    "length and encoding": refused(POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "encoding and length": refused(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    "two lengths": refused(POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "two equal lengths": refused(POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "a list of lengths": refused(POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "a negative length": refused(POST + b"Content-Length: -3\r\n\r\nabc"),
    "a length with a sign": refused(POST + b"Content-Length: +3\r\n\r\nabc"),
    "a length with a blank in it": refused(POST + b"Content-Length: 3 3\r\n\r\nabc"),
    "a length in hexadecimals": refused(POST + b"Content-Length: 0x3\r\n\r\nabc"),
    "a length with an underscore": refused(POST + b"Content-Length: 1_0\r\n\r\nabc"),
    "a length beyond 64 bits": refused(POST + b"Content-Length: 18446744073709551616\r\n\r\nabc"),
    "no length after its name": refused(POST + b"Content-Length:\r\n\r\nabc"),
    "another encoding": refused(POST + b"Transfer-Encoding: gzip\r\n\r\nabc"),
    "another encoding before chunks": refused(POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "another encoding after chunks": refused(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    "an encoding that is nearly chunked": refused(POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "an encoding after a vertical tab": refused(POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "two encodings": refused(POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks in HTTP/1.0": refused(b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks with a wish to upgrade": refused(
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a folded header": refused(GET + b"A: b\r\n c: d\r\n\r\n"),
    "a blank before the colon": refused(GET + b"Content-Length : 3\r\n\r\nabc"),
    "a blank before the first header": refused(b"GET /echo HTTP/1.1\r\n Host: x\r\n\r\n"),
    "a header without a colon": refused(GET + b"Content-Length\r\n\r\n"),
    "a header without a name": refused(GET + b": b\r\n\r\n"),
    "a bare LF after a header": refused(GET + b"A: b\nC: d\r\n\r\n"),
    "a bare LF after the request line": refused(b"GET /echo HTTP/1.1\nHost: x\r\n\r\n"),
    "a bare LF at the end of the headers": refused(GET + b"\n"),
    "a bare CR in a header": refused(GET + b"A: b\rC: d\r\n\r\n"),
    "NUL in a value": refused(GET + b"A: b\x00c\r\n\r\n"),
    "NUL in a name": refused(GET + b"A\x00: b\r\n\r\n"),
    "NUL in the address": refused(b"GET /echo\x00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "NUL instead of a request": refused(b"\x00\x00\x00\x00"),
    "a chunk of negative size": refused(CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    "a chunk beyond 64 bits": refused(CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with 0x": refused(CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size after a blank": refused(CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size before a blank": refused(CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "a chunk without a size": refused(CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    "a bare LF after a chunk size": refused(CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    "a bare LF after a chunk": refused(CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    "a bare LF in a chunk extension": refused(CHUNKED + b"3;a\nabc\r\n0\r\n\r\n"),
    "a chunk longer than its size": refused(CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    "a length in the trailers": refused(CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n"),
    "two hosts": refused(GET + b"Host: y\r\n\r\n"),
    "no host": refused(b"GET /echo HTTP/1.1\r\n\r\n"),
    "HTTP/0.9": refused(b"GET /echo\r\n\r\n"),
    "HTTP/2": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a request of HTTP/2 in letters": refused(b"GET /echo HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/1.2": refused(b"GET /echo HTTP/1.2\r\n" + HOST + b"\r\n"),
    "a method in small letters": refused(b"get /echo HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an unknown method": refused(b"GETX /echo HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a fragment in the address": refused(b"GET /echo#a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "half a percent code": refused(b"GET /echo%4 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no hexadecimals after a percent": refused(b"GET /echo%zz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an encoded NUL": refused(b"GET /echo%00 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an encoded line end": refused(b"GET /echo%0d%0a HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an address that is no UTF-8": refused(b"GET /echo%ff HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an overlong slash": refused(b"GET /echo%c0%af HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an address of raw bytes": refused(b"GET /echo\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an expectation that nobody knows": refused(POST + b"Expect: a-miracle\r\nContent-Length: 3\r\n\r\nabc"),
    "a body above the limit": refused(POST + b"Content-Length: 10001\r\n\r\nabc", "body_too_large", 413),
    "chunks above the limit": refused(CHUNKED + b"2711\r\n" + b"a" * 10001, "body_too_large", 413),
    "TLS": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "text": refused(b"hello, is anybody there?\r\n\r\n"),
}
"""What is no request; each is refused once, and nothing after it is read."""
