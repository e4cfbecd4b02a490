"""What only FastHttpUser's client does, or does in a way of its own."""

from __future__ import annotations

import io
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import pytest
from geventhttpclient.client import HTTPClientPool

from locust_runtime.exceptions import LocustError
from locust_runtime.http.fast_response import ErrorResponse, FastResponse, ResponseContextManager
from tests.runtime.http.conftest import PATIENCE_S, Client, MakeClient
from tests.runtime.http.target import ZIPPED_TEXT, Target, answering_raw, refused_url
from tests.support.wait import wait_until


def test_name_is_the_url_as_given(fast: Client) -> None:
    """Locust's FastHttpUser neither quotes it nor adds parameters."""
    fast.session.get("/a b?q=ü", params={"x": 1})
    assert fast.only["name"] == "/a b?q=ü"


def test_head_follows_redirects(fast: Client, target: Target) -> None:
    """Unlike HttpUser's, as in Locust; and stays HEAD."""
    assert fast.session.head("/redirect/1").status_code == 200
    assert target.requests == ["HEAD /redirect/1", "HEAD /ok"]


@pytest.mark.parametrize(
    ("status", "is_good"), [(226, True), (304, True), (305, False), (399, False), (400, False)]
)
def test_good_statuses_are_a_list(fast: Client, status: int, is_good: bool) -> None:
    """Not everything below 400."""
    fast.session.get(f"/status/{status}")
    assert (fast.only["exception"] is None) is is_good


def test_types_are_those_that_locustfiles_import(make_fast: MakeClient, fast: Client) -> None:
    """isinstance holds for all three kinds of response."""
    assert type(fast.session.get("/ok")) is FastResponse
    with fast.session.get("/ok", catch_response=True) as response:
        assert isinstance(response, ResponseContextManager)
        assert isinstance(response, FastResponse)
    assert isinstance(make_fast(refused_url()).session.get("/"), ErrorResponse)


def test_request_of_a_response_shows_what_was_sent(fast: Client, target: Target) -> None:
    """Defaults included, and after a redirect that of the last hop."""
    response = fast.session.post("/redirect?to=/echo&code=307", data="text", headers={"X-Own": "1"})
    assert response.request.method == "POST"
    assert response.request.url == target.url + "/echo"
    assert response.request.body == b"text"
    assert response.request.headers["x-own"] == "1"
    assert response.request.headers["host"] == f"127.0.0.1:{target.port}"


def test_response_keeps_what_a_locustfile_sets_on_it(fast: Client) -> None:
    """Any attribute, as on an ordinary object."""
    response = fast.session.get("/ok")
    response.note = "mine"
    assert response.note == "mine"
    assert response.elapsed.total_seconds() > 0


def test_headers_are_found_whatever_their_case(fast: Client) -> None:
    """And several of one name are all there."""
    headers = fast.session.get("/ok").headers
    assert headers["CONTENT-length"] == "5"
    assert headers.getlist("Content-Type") == ["text/plain; charset=utf-8"]
    assert "set-cookie" not in headers


def test_iter_lines_yields_lines_as_they_come(fast: Client) -> None:
    """Without their ends, the last one also without a line end."""
    assert list(fast.session.iter_lines("/lines")) == ["first", "second", "", "last without end"]


def test_iter_lines_raises_for_a_bad_status(fast: Client) -> None:
    """Lines of an error page are not what was asked for."""
    with pytest.raises(Exception, match="code=404"):
        list(fast.session.iter_lines("/status/404"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw-deflate", "br"])
def test_streamed_body_is_decompressed_piece_by_piece(fast: Client, encoding: str) -> None:
    """A compressed stream reads like a plain one."""
    blocks = fast.session.get(f"/encoded/{encoding}", stream=True).iter_content(chunk_size=5)
    assert "".join(blocks) == ZIPPED_TEXT


def test_streamed_body_can_be_read_by_hand(fast: Client) -> None:
    """`read(n)` and `readline()`, and the connection goes back at the end."""
    response = fast.session.get("/lines", stream=True)
    assert response.read(3) == b"fir"
    assert response.stream.readline(b"\n") == b"st\n"
    assert response.read() == b"second\n\nlast without end"
    assert response.read() == b""


def test_streamed_body_that_is_not_read_gives_its_connection_up(
    make_fast: MakeClient, target: Target
) -> None:
    """With one connection allowed, the next request would wait for ever."""
    client = make_fast(target.url, concurrency=1)
    client.session.get("/slow-body", stream=True)
    client.hook.fired.clear()
    with gevent.Timeout(PATIENCE_S / 2):
        assert client.session.get("/ok").status_code == 200


def test_concurrency_bounds_the_connections_of_a_user(make_fast: MakeClient, target: Target) -> None:
    """Twenty greenlets, two connections, all served."""
    client = make_fast(target.url, concurrency=2)
    before = target.connections
    gevent.joinall(
        [gevent.spawn(client.session.get, "/ok") for _ in range(20)], timeout=PATIENCE_S, raise_error=True
    )
    assert target.served["/ok"] == 20
    assert target.connections - before <= 2


def test_client_pool_is_shared_between_sessions(make_fast: MakeClient, target: Target) -> None:
    """Users of one class over one connection."""
    pool = HTTPClientPool(concurrency=1, network_timeout=PATIENCE_S)
    before = target.connections
    for _ in range(3):
        make_fast(target.url, client_pool=pool).session.get("/ok")
    assert target.connections == before + 1


def test_closed_pool_begins_anew(fast: Client, target: Target) -> None:
    """A way to make a user look like a new visitor."""
    fast.session.get("/ok")
    before = target.connections
    fast.session.client.clientpool.close()
    assert fast.session.get("/ok").status_code == 200
    assert target.connections == before + 1


def test_default_headers_may_change_while_the_user_runs(make_fast: MakeClient, target: Target) -> None:
    """A token that a login brings, for all requests after it."""
    client = make_fast(target.url, headers={"X-Default": "1"})
    assert client.session.get("/echo").json()["headers"]["x-default"] == "1"
    client.session.client.default_headers["X-Default"] = "2"
    client.session.auth_header = "Bearer t"
    seen = client.session.get("/echo").json()["headers"]
    assert (seen["x-default"], seen["authorization"]) == ("2", "Bearer t")
    assert client.session.get("/echo", headers={"x-default": "3"}).json()["headers"]["x-default"] == "3"


def test_timeouts_are_retried_where_the_method_allows_it(make_fast: MakeClient, slow_target: Target) -> None:
    """`max_retries` repeats a GET, never a POST."""
    client = make_fast(slow_target.url, is_hasty=True, max_retries=2)
    client.session.get("/slow")
    client.session.post("/slow", data="x")
    wait_until(
        lambda: Counter(slow_target.requests) == {"GET /slow": 3, "POST /slow": 1},
        deadline_s=PATIENCE_S,
        describe=lambda: f"what was sent arrives; {slow_target.requests}",
    )
    assert "original=timed out" in repr(client.hook.fired[0]["exception"])


def test_max_redirects_bounds_a_chain(fast: Client, target: Target) -> None:
    """The argument counts for one request."""
    fast.session.get("/redirect/3", max_redirects=2)
    assert "Redirection limit reached (2)" in repr(fast.only["exception"])
    assert len(target.requests) == 3


def test_plain_proxy_gets_the_absolute_url(make_fast: MakeClient, target: Target) -> None:
    """The target stands in for a proxy that answers by itself."""
    client = make_fast("http://example.test", proxy_host="127.0.0.1", proxy_port=target.port)
    seen = client.session.get("/echo").json()
    assert seen["path"] == "http://example.test/echo"
    assert seen["headers"]["host"] == "example.test"


def test_file_is_sent_with_its_length(fast: Client, tmp_path: Path) -> None:
    """A real file is streamed, from where it stands."""
    path = tmp_path / "upload"
    path.write_bytes(b"skip the body")
    with path.open("rb") as file:
        file.seek(5)
        seen = fast.session.put("/echo", data=file).json()
    assert (seen["body"], seen["headers"]["content-length"]) == ("the body", "8")


def test_streamed_body_is_not_sent_twice_by_a_redirect(fast: Client) -> None:
    """What was read from a stream is gone."""
    fast.session.post("/redirect?to=/echo&code=307", data=(part for part in [b"x"]))
    assert "UnrewoundBodyError" in repr(fast.only["exception"])


def test_debug_stream_gets_the_conversation(fast: Client) -> None:
    """Both heads and both bodies."""
    stream = io.StringIO()
    fast.session.post("/ok", data="sent text", debug_stream=stream)
    assert "POST /ok HTTP/1.1" in stream.getvalue()
    assert "sent text" in stream.getvalue()
    assert "hello" in stream.getvalue()


def test_unknown_argument_becomes_a_parameter_and_is_mentioned(
    fast: Client, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    """As in Locust, but not in silence; once."""
    with caplog.at_level(logging.WARNING):
        fast.session.get("/ok", unheard_of=5)
        fast.session.get("/ok", unheard_of=5)
    assert target.requests == ["GET /ok?unheard_of=5"] * 2
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "FastHttpUser has no argument unheard_of"
    ]


def test_gevent_timeout_around_a_request_is_a_failure(make_fast: MakeClient, slow_target: Target) -> None:
    """As in Locust: a deadline of the locustfile counts as the target's failure."""
    fast = make_fast(slow_target.url)
    with gevent.Timeout(0.05):
        fast.session.get("/slow")
    assert isinstance(fast.only["exception"], gevent.Timeout)


@pytest.mark.parametrize("headers", [{"X-Bad": "a\r\nInjected: 1"}, {"Bad Name": "x"}, {"X": "\n"}])
def test_header_that_would_break_the_request_is_refused(
    fast: Client, target: Target, headers: dict[str, str]
) -> None:
    """Nothing is sent."""
    with pytest.raises(ValueError, match="header field"):
        fast.session.get("/ok", headers=headers)
    assert target.requests == []


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "ä".encode("latin-1"), "ä"),
        ("text/plain; charset=utf-8", "ä".encode(), "ä"),
        ("application/octet-stream", "ä".encode(), "ä"),
        ("text/plain; charset=no-such-thing", "ä".encode(), "ä"),
    ],
)
def test_text_is_decoded_by_what_the_answer_says(
    make_fast: MakeClient, content_type: str, body: bytes, text: str
) -> None:
    """As requests does, and UTF-8 where nothing is said."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    with answering_raw(head.encode() + body) as url:
        assert make_fast(url).session.get("/").text == text


def test_body_of_a_failed_request_cannot_be_streamed(make_fast: MakeClient) -> None:
    """It says why there is none."""
    response = make_fast(refused_url()).session.get("/", stream=True)
    with pytest.raises(LocustError, match="refused"):
        list(response.iter_content())


def test_early_answer_to_a_large_body_is_heard(make_fast: MakeClient) -> None:
    """A target that refuses an upload answers before it has read it, and closes."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with answering_raw(refusal) as url:
        response: Any = make_fast(url).session.post("/", data=b"x" * 20_000_000)
    assert response.status_code in (413, 0)
    assert response.error is not None
