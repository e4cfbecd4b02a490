"""What HttpUser's and FastHttpUser's clients have in common, against a real server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.http.conftest import Client, MakeClient
from tests.runtime.http.target import ZIPPED_TEXT, Target, answering_raw, refused_url


def test_request_is_reported_once_with_locusts_arguments(client: Client, target: Target) -> None:
    """Listeners of existing locustfiles take these names."""
    response = client.session.get("/ok?a=1")
    reported = client.only
    assert response.content == b"hello"
    assert response.text == "hello"
    assert response.ok
    assert reported["response"] is response
    assert 0 < reported["response_time"] < 10_000
    assert reported["start_time"] > 1.7e9
    assert {
        key: reported[key] for key in reported if key not in ("response", "response_time", "start_time")
    } == {
        "request_type": "GET",
        "name": "/ok?a=1",
        "response_length": 5,
        "exception": None,
        "context": {},
        "url": target.url + "/ok?a=1",
    }
    assert target.served == {"/ok?a=1": 1}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options", "head"])
def test_method_of_the_session_sends_that_method(client: Client, target: Target, method: str) -> None:
    """Each of the short forms is what it says."""
    getattr(client.session, method)("/echo")
    assert target.requests == [f"{method.upper()} /echo"]
    assert client.only["request_type"] == method.upper()


@pytest.mark.parametrize("status", [200, 201, 204, 206, 304])
def test_good_status_is_a_success(client: Client, status: int) -> None:
    """A status that means that all is well is no failure."""
    assert client.session.get(f"/status/{status}").status_code == status
    assert client.only["exception"] is None


@pytest.mark.parametrize(
    ("status", "requests_text"),
    [
        (404, "HTTPError('404 Client Error: Not Found for url: {name}')"),
        (500, "HTTPError('500 Server Error: Internal Server Error for url: {name}')"),
    ],
)
@pytest.mark.parametrize("name", [None, "a name"])
def test_bad_status_is_a_failure_whose_text_has_no_url(
    client: Client, status: int, requests_text: str, name: str | None
) -> None:
    """Failures group by this text: the URL in it would make one row per id."""
    response = client.session.get(f"/status/{status}", name=name)
    shown = name or f"/status/{status}"
    expected = f"LocustBadStatusCode(code={status})" if client.is_fast else requests_text.format(name=shown)
    assert repr(client.only["exception"]) == expected
    assert client.only["name"] == shown
    assert response.content == b"status body"
    assert not response.ok
    assert str(status) in response.url


def test_redirect_is_followed_and_named_after_the_first_url(client: Client, target: Target) -> None:
    """One sample, under what the locustfile asked for."""
    response = client.session.get("/redirect/2")
    assert response.url == target.url + "/ok"
    assert len(response.history) == 2
    assert client.only["name"] == "/redirect/2"
    assert client.only["url"] == target.url + "/redirect/2"
    assert target.requests == ["GET /redirect/2", "GET /redirect/1", "GET /ok"]


def test_redirect_is_not_followed_when_told_so(client: Client, target: Target) -> None:
    """`allow_redirects=False` gives the redirect itself, for this request only."""
    assert client.session.get("/redirect/1", allow_redirects=False).status_code == 302
    assert client.session.get("/redirect/1").status_code == 200
    assert target.requests == ["GET /redirect/1", "GET /redirect/1", "GET /ok"]


@pytest.mark.parametrize(
    ("method", "code", "becomes", "keeps_body"),
    [
        ("POST", 301, "GET", False),
        ("PUT", 301, "PUT", False),
        ("POST", 302, "GET", False),
        ("PUT", 302, "GET", False),
        ("DELETE", 303, "GET", False),
        ("POST", 307, "POST", True),
        ("PUT", 308, "PUT", True),
    ],
)
def test_redirect_changes_method_and_body_as_requests_does(
    client: Client, method: str, code: int, becomes: str, keeps_body: bool
) -> None:
    """The same locustfile sends the same requests with either client."""
    seen = client.session.request(method, f"/redirect?to=/echo&code={code}", data="body").json()
    assert seen["method"] == becomes
    assert seen["body"] == ("body" if keeps_body else "")


def test_redirects_without_end_are_a_failure(client: Client, target: Target) -> None:
    """Thirty are followed, as with a browser's patience."""
    client.session.get("/redirect/40")
    assert client.only["name"] == "/redirect/40"
    assert "30" in repr(client.only["exception"])
    assert len(target.requests) == 31


def test_redirect_out_of_http_is_a_failure(client: Client) -> None:
    """The target did that, so it counts, although nothing more can be sent."""
    client.session.get("/redirect?to=ftp://elsewhere/")
    assert "ftp" in repr(client.only["exception"])


def test_credentials_do_not_follow_to_another_host(make_client: MakeClient, target: Target) -> None:
    """A password is for one origin."""
    host = target.url.replace("http://", "http://user:word@")
    client = make_client(host)
    elsewhere = target.url.replace("127.0.0.1", "localhost")
    seen = client.session.get(f"/redirect?to={elsewhere}/echo").json()
    assert "authorization" not in seen["headers"]
    assert seen["headers"]["host"] == f"localhost:{target.port}"


def test_cookies_are_kept_and_sent_back(client: Client) -> None:
    """Log in once, stay logged in."""
    client.session.get("/cookie?name=who&value=me")
    client.session.get("/cookie?name=where&value=here")
    cookies = client.session.get("/echo").json()["headers"]["cookie"]
    assert sorted(cookies.split("; ")) == ["where=here", "who=me"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw-deflate", "br"])
def test_compressed_body_is_decompressed(client: Client, encoding: str) -> None:
    """The length that counts is that of the content, as in Locust."""
    assert client.session.get(f"/encoded/{encoding}").text == ZIPPED_TEXT
    assert client.only["response_length"] == len(ZIPPED_TEXT)


def test_head_of_a_compressed_page_has_no_body_to_decompress(client: Client) -> None:
    """HEAD announces an encoding and sends nothing."""
    assert client.session.head("/encoded/gzip").content == b""
    assert client.only["exception"] is None


def test_body_that_is_not_compressed_as_announced_is_a_failure(client: Client) -> None:
    """The target is to blame, the user goes on."""
    client.session.get("/encoded/broken-gzip")
    assert "decompressing data" in repr(client.only["exception"])
    assert client.only["response_length"] == 0


def test_chunked_body_is_joined(client: Client) -> None:
    """Chunks are a matter of the wire."""
    assert client.session.get("/chunked").content == b"one two three"


@pytest.mark.parametrize(
    ("arguments", "content_type", "body"),
    [
        ({"data": {"a": 1, "b": "x y"}}, "application/x-www-form-urlencoded", "a=1&b=x+y"),
        ({"data": [("a", "1"), ("a", "2")]}, "application/x-www-form-urlencoded", "a=1&a=2"),
        ({"json": {"a": [1, None]}}, "application/json", '{"a": [1, null]}'),
        ({"json": []}, "application/json", "[]"),
        ({"data": "text"}, None, "text"),
        ({"data": b"\x00\xff"}, None, "\x00\xff"),
        ({"data": "x", "json": {"a": 1}}, None, "x"),
        ({}, None, ""),
    ],
)
def test_body_arrives_as_given(
    client: Client, arguments: dict[str, Any], content_type: str | None, body: str
) -> None:
    """Forms, JSON, text and bytes, with the length announced."""
    seen = client.session.post("/echo", **arguments).json()
    assert seen["body"] == body
    assert seen["headers"]["content-length"] == str(len(body))
    if content_type is not None:
        assert seen["headers"]["content-type"].startswith(content_type)


def test_body_is_sent_in_chunks_when_its_length_is_unknown(client: Client) -> None:
    """A generator is streamed."""
    seen = client.session.post("/echo", data=(part for part in [b"one ", b"two"])).json()
    assert seen["body"] == "one two"
    assert seen["headers"]["transfer-encoding"] == "chunked"
    assert "content-length" not in seen["headers"]


def test_files_are_sent_as_multipart(client: Client) -> None:
    """An upload form with a field beside its file."""
    seen = client.session.post("/echo", files={"f": ("name.txt", b"content")}, data={"field": "v"}).json()
    assert seen["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    assert 'filename="name.txt"' in seen["body"]
    assert 'name="field"' in seen["body"]


def test_own_headers_win_whatever_their_case(client: Client) -> None:
    """A header is given once, and arrives once."""
    headers = {"USER-AGENT": "mine", "accept-encoding": "identity", "X-Own": "1"}
    seen = client.session.get("/echo", headers=headers).json()["headers"]
    assert seen["user-agent"] == "mine"
    assert seen["accept-encoding"] == "identity"
    assert seen["x-own"] == "1"


def test_query_parameters_are_added(client: Client, target: Target) -> None:
    """Also behind a query that is there, and repeated for a list."""
    client.session.get("/ok?z=0", params={"a": [1, 2], "b": "x y"})
    assert target.requests == ["GET /ok?z=0&a=1&a=2&b=x+y"]


def test_path_is_quoted_where_http_wants_it(client: Client, target: Target) -> None:
    """Blanks and letters beyond ASCII are allowed in a locustfile."""
    client.session.get("/a b?q=ü")
    assert target.requests == ["GET /a%20b?q=%C3%BC"]


def test_credentials_of_the_host_become_basic_auth(make_client: MakeClient, target: Target) -> None:
    """`user:password@` in the host, percent-decoded, and out of the URL that is reported."""
    client = make_client(target.url.replace("http://", "http://us%40er:p%3Aw@"))
    seen = client.session.get("/echo").json()
    assert seen["headers"]["authorization"] == "Basic dXNAZXI6cDp3"
    assert client.only["url"] == target.url + "/echo"


def test_auth_argument_is_basic_auth(client: Client) -> None:
    """For one request."""
    assert client.session.get("/echo", auth=("a", "b")).json()["headers"]["authorization"] == "Basic YTpi"
    assert "authorization" not in client.session.get("/echo").json()["headers"]


def test_absolute_url_goes_there(client: Client, target: Target) -> None:
    """The host is not put before what has one."""
    elsewhere = target.url.replace("127.0.0.1", "localhost")
    assert client.session.get(elsewhere + "/echo").json()["headers"]["host"] == f"localhost:{target.port}"
    assert client.only["name"] == (elsewhere + "/echo" if client.is_fast else "/echo")


def test_connection_is_kept_and_used_again(client: Client, target: Target) -> None:
    """Keep-alive, also behind errors, redirects and empty bodies."""
    before = target.connections
    for path in ["/ok", "/status/404", "/redirect/1", "/status/204", "/chunked", "/ok"]:
        client.session.get(path)
    client.session.head("/ok")
    assert target.connections == before + 1


def test_connection_is_not_used_again_when_the_target_closes_it(client: Client, target: Target) -> None:
    """`Connection: close` is heard."""
    before = target.connections
    client.session.get("/close")
    client.session.get("/close")
    assert [report["exception"] for report in client.hook.fired] == [None, None]
    assert target.connections == before + 2


def test_refused_connection_is_a_failure_without_an_answer(make_client: MakeClient) -> None:
    """The innermost error, without the address that would make a row of its own."""
    client = make_client(refused_url())
    response = client.session.get("/ok")
    assert repr(client.only["exception"]) == "ConnectionRefusedError(111, 'Connection refused')"
    assert response.status_code == 0
    assert response.content is None
    assert response.text in (None, "")
    assert not response.ok
    assert response.error is not None
    with pytest.raises(type(response.error)):
        response.raise_for_status()


def test_unknown_host_is_a_failure(make_client: MakeClient) -> None:
    """No name, no address, no exception in the locustfile."""
    client = make_client("http://no-such-host.invalid")
    client.session.get("/ok")
    assert "gaierror" in repr(client.only["exception"])


@pytest.mark.parametrize("path", ["/slow", "/slow-body"])
def test_silent_target_times_out(make_client: MakeClient, slow_target: Target, path: str) -> None:
    """Before the answer, and in the middle of it."""
    client = make_client(slow_target.url, is_hasty=True)
    client.session.get(path, **client.options)
    assert "timed out" in repr(client.only["exception"])
    assert client.only["response_time"] >= 150


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/silent-close", "/reset"])
def test_target_that_closes_without_an_answer_is_asked_once(
    client: Client, target: Target, method: str, path: str
) -> None:
    """What the target counts is what is reported: no silent repetition."""
    response = client.session.request(method, path, **({"data": "x"} if method == "POST" else {}))
    assert client.only["exception"] is not None
    assert response.status_code == 0
    assert target.requests == [f"{method} {path}"]


def test_idle_connection_that_the_target_closed_is_replaced(make_client: MakeClient) -> None:
    """The end of a keep-alive is no failure."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering_raw(ok) as first, answering_raw(ok) as second:
        client = make_client(first)
        assert client.session.get("/a").content == b"ok"
        assert client.session.get(second + "/b").content == b"ok"
        assert client.session.get("/c").status_code == 0
    assert [report["exception"] is None for report in client.hook.fired] == [True, True, False]


def test_body_cut_short_is_a_failure(client: Client) -> None:
    """Fewer bytes than announced are not an answer."""
    client.session.get("/half")
    assert client.only["exception"] is not None
    assert client.only["response_length"] == 0


def test_answer_that_is_no_http_is_a_failure(make_client: MakeClient) -> None:
    """Whatever listens there."""
    with answering_raw(b"SSH-2.0-OpenSSH\r\n\r\n") as url:
        client = make_client(url)
        assert client.session.get("/").status_code == 0
    assert client.only["exception"] is not None


def test_interim_answers_are_skipped(make_client: MakeClient) -> None:
    """A 100 before the 200 is not the answer."""
    interim = b"HTTP/1.1 100 Continue\r\nLink: </style.css>\r\n\r\n"
    with answering_raw(interim + b"HTTP/1.1 200 OK\r\nX-Final: yes\r\nContent-Length: 2\r\n\r\nok") as url:
        client = make_client(url)
        response = client.session.get("/")
    assert response.status_code == 200
    assert response.content == b"ok"
    assert response.headers["x-final"] == "yes"
    assert "link" not in response.headers


def test_stream_is_reported_by_its_head_and_read_later(client: Client) -> None:
    """The length is the announced one, the time does not include the body."""
    response = client.session.get("/lines", stream=True)
    assert client.only["response_length"] == 30
    assert b"".join(
        block if isinstance(block, bytes) else block.encode() for block in response.iter_content(chunk_size=7)
    ).startswith(b"first\nsecond")


def test_name_comes_from_argument_then_block_then_url(client: Client) -> None:
    """Grouping for requests with ids, one by one or for a whole block."""
    with client.session.rename_request("outer"):
        client.session.get("/ok")
        with client.session.rename_request("inner"):
            client.session.get("/ok")
        client.session.get("/ok", name="own")
        client.session.get("/ok")
    client.session.get("/ok")
    assert [report["name"] for report in client.hook.fired] == ["outer", "inner", "own", "outer", "/ok"]


class ContextUser:
    """As much of a user as a session needs."""

    _requests_in_flight = 0
    _exit_after_request = False

    def context(self) -> dict[str, Any]:
        return {"user": 1, "both": "user"}


def test_context_of_user_and_request_are_joined(make_client: MakeClient, target: Target) -> None:
    """The request's own counts more."""
    user = ContextUser()
    client = make_client(target.url, user=user)
    client.session.get("/ok", context={"both": "request"})
    assert client.only["context"] == {"user": 1, "both": "request"}
    assert user._requests_in_flight == 0


@pytest.mark.parametrize("path", ["ftp://host/", "no-slash"])
def test_url_that_is_none_is_the_locustfiles_mistake(client: Client, path: str) -> None:
    """It raises, and nothing is reported."""
    with pytest.raises(ValueError):
        client.session.get(path)
    assert client.hook.fired == []
