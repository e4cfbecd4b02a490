"""The pure parts of a fast request: heads, places, bodies, redirects, host and encodings."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from geventhttpclient.header import Headers
from geventhttpclient.useragent import UnsupportedRedirectSchemeError
from hypothesis import given
from hypothesis import strategies as st

from locust_runtime.exceptions import LocustError, StopTest
from locust_runtime.http.base_url import MissingHostError, join_url, required_host, split_credentials
from locust_runtime.http.bodies import NO_BODY, Body, encode_body, stream_blocks
from locust_runtime.http.decoding import DECODING_ERRORS, decode_content, stream_decoder
from locust_runtime.http.heads import field_block, length_line, merge_fields, parse_fields
from locust_runtime.http.places import below, locate
from locust_runtime.http.redirects import next_hop


@pytest.mark.parametrize(
    ("layers", "lines"),
    [
        (({"A": "1"}, {"a": "2"}), "a: 2\r\n"),
        (({"A": "1"}, None, {"B": 2}), "A: 1\r\nB: 2\r\n"),
        (({"A": "1", "B": "2"}, {"a": None}), "B: 2\r\n"),
        (({"A": ["1", "2"]},), "A: 1, 2\r\n"),
        ((Headers([("A", "1"), ("a", "2")]),), "a: 1, 2\r\n"),
        (({"A": b"\xe4"},), "A: ä\r\n"),
        (({"Transfer-Encoding": "chunked", "Content-Length": "3"},), "Transfer-Encoding: chunked\r\n"),
    ],
)
def test_fields_are_merged_by_name(layers: tuple[Any, ...], lines: str) -> None:
    """Later layers win, None removes, several values become one line."""
    assert field_block(merge_fields(*layers)).text == lines


@pytest.mark.parametrize(
    ("fields", "method", "length", "line"),
    [
        ({}, "GET", 0, ""),
        ({}, "POST", 0, "Content-Length: 0\r\n"),
        ({}, "DELETE", 3, "Content-Length: 3\r\n"),
        ({"content-length": "9"}, "POST", 3, ""),
        ({}, "POST", None, "Transfer-Encoding: chunked\r\n"),
        ({"Transfer-Encoding": "chunked"}, "POST", 3, ""),
    ],
)
def test_length_is_said_once(fields: dict[str, str], method: str, length: int | None, line: str) -> None:
    """Never beside chunks, never beside what the request says itself."""
    assert length_line(field_block(merge_fields(fields)), method, length) == line


def test_fields_of_a_head_keep_all_their_values() -> None:
    """Two cookies are two cookies; blanks around a value are none of it."""
    headers = parse_fields(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie:\t b=2 \r\nX-Empty:")
    assert headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert headers["x-empty"] == ""


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://h", ("http", "h", 80), "/"),
        ("http://h:8080/a;p?q=1#fragment", ("http", "h", 8080), "/a;p?q=1"),
        ("https://h/%7Euser/%e4 b", ("https", "h", 443), "/~user/%E4%20b"),
        ("http://[::1]:80/ä", ("http", "::1", 80), "/%C3%A4"),
        ("HTTP://h?q", ("http", "h", 80), "/?q"),
    ],
)
def test_url_is_taken_apart(url: str, origin: tuple[str, str, int], target: str) -> None:
    """The target is quoted, and the fragment stays here."""
    place = locate(url)
    assert place.origin == origin
    assert place.target.upper() == target.upper()


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "/path", "http://h:no/"])
def test_url_that_is_none_is_refused(url: str) -> None:
    """A mistake of the locustfile shows where it was made."""
    with pytest.raises(ValueError):
        _ = locate(url).origin


PATHS = st.text(st.sampled_from("abz09/._~-?&=+,;:@!$'()*%#[] äü\\\"<>"), max_size=12).map(
    lambda text: "/" + text
)


@given(
    base=st.sampled_from(["http://h", "http://h:81", "http://h/", "https://h/base", "http://[::1]:7/x/"]),
    path=PATHS,
)
def test_short_way_to_a_place_gives_what_parsing_gives(base: str, path: str) -> None:
    """The fast twin answers only where both agree."""
    quick = below(locate(base), path)
    if quick is not None:
        slow = locate(base + path)
        assert (quick.url, quick.origin, quick.target) == (slow.url, slow.origin, slow.target)


@pytest.mark.parametrize("path", ["/", "/products/17", "/search?q=a&page=2"])
def test_short_way_is_taken_for_plain_paths(path: str) -> None:
    """Nearly every request of a test goes there: the twin must not agree by never answering."""
    assert below(locate("http://h"), path) == locate("http://h" + path)


@pytest.mark.parametrize(
    ("arguments", "content", "fields"),
    [
        ((None, None, None), None, {}),
        (("", None, None), None, {}),
        (
            ({}, {"a": 1}, None),
            b'{"a": 1}',
            {"Content-Type": "application/json", "Accept": "application/json"},
        ),
        ((None, 0, None), b"0", {"Content-Type": "application/json", "Accept": "application/json"}),
        (("ä", None, None), "ä".encode(), {"Content-Type": "text/plain; charset=utf-8"}),
        ((bytearray(b"x"), None, None), b"x", {"Content-Type": "application/octet-stream"}),
    ],
)
def test_body_is_encoded_by_kind(
    arguments: tuple[Any, Any, Any], content: Any, fields: dict[str, str]
) -> None:
    """As Locust's FastHttpUser sends it."""
    body = encode_body(*arguments)
    assert (body.content, dict(body.fields)) == (content, fields)


def test_stream_is_sent_in_blocks_of_bytes() -> None:
    """Files by portions, iterables as they come, empty blocks left out."""
    assert b"".join(stream_blocks(io.BytesIO(b"x" * 100_000))) == b"x" * 100_000
    assert list(stream_blocks(["ä", b"", b"b"])) == ["ä".encode(), b"b"]
    with pytest.raises(TypeError, match="int"):
        list(stream_blocks([1]))
    assert encode_body(io.BytesIO(b"x"), None, None).length is None


def hop(location: str, *, status: int = 302, method: str = "GET", body: Body = NO_BODY) -> Any:
    return next_hop(
        method=method, url="http://h:81/dir/page?q=1", body=body, status=status, location=location
    )


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/abs", "http://h:81/abs"),
        ("rel", "http://h:81/dir/rel"),
        ("../up", "http://h:81/up"),
        ("?x=2", "http://h:81/dir/page?x=2"),
        ("//other/x", "http://other/x"),
        ("https://other/", "https://other/"),
    ],
)
def test_location_is_resolved(location: str, url: str) -> None:
    """Against the URL that redirected."""
    assert hop(location).url == url


def test_fields_are_dropped_where_they_do_not_belong_any_more() -> None:
    """Credentials at another origin, the body's description without the body."""
    assert "authorization" not in hop("/same").dropped_fields
    assert {"authorization", "host"} <= hop("http://other/").dropped_fields
    assert {"authorization", "host"} <= hop("https://h:81/").dropped_fields
    assert "content-type" in hop("/", method="POST", status=302).dropped_fields
    assert "content-type" not in hop("/", method="POST", status=307).dropped_fields


def test_redirect_out_of_http_is_refused() -> None:
    """Neither a file nor a mail address is requested."""
    with pytest.raises(UnsupportedRedirectSchemeError):
        hop("file:///etc/passwd")


def test_host_is_required_with_a_remedy() -> None:
    """The error ends the test, and says what to do."""
    with pytest.raises(MissingHostError, match="--host") as caught:
        required_host(None, user_class=Body)
    assert isinstance(caught.value, LocustError)
    assert isinstance(caught.value, StopTest)
    assert required_host("", user_class=Body) == ""


@pytest.mark.parametrize(
    ("given_url", "url", "credentials"),
    [
        ("http://h:80/p", "http://h:80/p", None),
        ("http://u:p@h:80/p?q", "http://h:80/p?q", ("u", "p")),
        ("http://u%40x:p%3A@[::1]:8/", "http://[::1]:8/", ("u@x", "p:")),
        ("http://u@h/", "http://u@h/", None),
    ],
)
def test_credentials_are_taken_out_of_a_host(
    given_url: str, url: str, credentials: tuple[str, str] | None
) -> None:
    """Both parts, decoded."""
    assert split_credentials(given_url) == (url, credentials)


def test_absolute_url_is_not_joined() -> None:
    """In whatever case its scheme is written."""
    assert join_url("http://h", "/p") == "http://h/p"
    assert join_url("http://h", "HTTPS://other/") == "HTTPS://other/"
    assert join_url("http://h", "https:/p") == "http://hhttps:/p"


def raw_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


ENCODERS: dict[str, tuple[str, Any]] = {
    "gzip": ("gzip", gzip.compress),
    "members": ("gzip", lambda content: gzip.compress(content[:5]) + gzip.compress(content[5:])),
    "deflate": ("deflate", zlib.compress),
    "raw": ("Deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "both": ("gzip, br", lambda content: brotli.compress(gzip.compress(content))),
    "identity": ("identity", bytes),
    "unknown": ("zstd-like", bytes),
}


@given(
    kind=st.sampled_from(sorted(ENCODERS)),
    content=st.binary(min_size=1, max_size=300),
    step=st.integers(1, 50),
)
def test_decoding_undoes_encoding_whole_and_in_pieces(kind: str, content: bytes, step: int) -> None:
    """Both ways give what was encoded."""
    name, encode = ENCODERS[kind]
    encoded = encode(content)
    assert decode_content(encoded, name) == content
    if kind != "members":
        decode = stream_decoder(name)
        assert b"".join(decode(encoded[at : at + step]) for at in range(0, len(encoded), step)) == content


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_content_that_is_not_as_announced_is_an_error(encoding: str) -> None:
    """Of a kind that makes the request a failure."""
    with pytest.raises(DECODING_ERRORS):
        decode_content(b"no such thing", encoding)


def test_gzip_cut_short_is_an_error() -> None:
    """A partial page is no page."""
    with pytest.raises(DECODING_ERRORS):
        decode_content(gzip.compress(b"content" * 100)[:-6], "gzip")
