"""`catch_response`: what a `with` block around a request of either client decides."""

from __future__ import annotations

import pytest

from locust_runtime.exceptions import CatchResponseError, LocustError, ResponseError
from tests.runtime.http.conftest import Client, MakeClient
from tests.runtime.http.target import refused_url


def test_block_without_a_verdict_is_judged_by_status(client: Client) -> None:
    """Nothing said: 200 is good and 404 is not."""
    with client.session.get("/ok", catch_response=True):
        assert client.hook.fired == []
    with client.session.get("/status/404", catch_response=True):
        pass
    assert client.hook.fired[0]["exception"] is None
    assert "404" in repr(client.hook.fired[1]["exception"])


def test_block_may_turn_a_bad_status_into_a_success(client: Client) -> None:
    """A 404 may be what is tested for."""
    with client.session.get("/status/404", catch_response=True) as response:
        response.success()
        response.raise_for_status()
    assert client.only["exception"] is None


def test_block_may_turn_a_good_status_into_a_failure(client: Client) -> None:
    """Text is wrapped, an exception is taken as it is, the last verdict counts."""
    with client.session.get("/ok", catch_response=True) as response:
        response.failure("wrong text")
    with client.session.get("/ok", catch_response=True) as response:
        response.success()
        response.failure(error := ValueError("own"))
        with pytest.raises(ValueError, match="own"):
            response.raise_for_status()
    assert repr(client.hook.fired[0]["exception"]) == "CatchResponseError('wrong text')"
    assert isinstance(client.hook.fired[0]["exception"], CatchResponseError)
    assert client.hook.fired[1]["exception"] is error


def test_response_error_in_a_block_is_a_failure_and_stops_there(client: Client) -> None:
    """The way to fail from deep inside of a check."""
    with client.session.get("/ok", catch_response=True):
        raise ResponseError("broken")
    assert repr(client.only["exception"]) == "ResponseError('broken')"


def test_other_exception_in_a_block_passes_and_nothing_is_recorded(client: Client) -> None:
    """A mistake of the locustfile is no outcome of the request."""
    with pytest.raises(KeyError), client.session.get("/ok", catch_response=True):
        raise KeyError("k")
    assert client.hook.fired == []


def test_exception_after_a_verdict_passes_and_the_verdict_is_recorded(client: Client) -> None:
    """What was said stands."""

    def task() -> None:
        with client.session.get("/ok", catch_response=True) as response:
            response.failure("said")
            raise KeyError("k")

    with pytest.raises(KeyError):
        task()
    assert repr(client.only["exception"]) == "CatchResponseError('said')"


def test_block_may_edit_what_is_reported(client: Client) -> None:
    """Name, time and context by what the answer says."""
    with client.session.get("/ok", catch_response=True) as response:
        response.request_meta["name"] = "renamed"
        response.request_meta["response_time"] = 77
        response.request_meta["context"] = {"a": 1}
    assert (client.only["name"], client.only["response_time"], client.only["context"]) == (
        "renamed",
        77,
        {"a": 1},
    )


def test_block_around_a_request_without_an_answer_reports_why(make_client: MakeClient) -> None:
    """The same error as without a block."""
    client = make_client(refused_url())
    with client.session.get("/ok", catch_response=True) as response:
        assert response.status_code == 0
    assert "ConnectionRefusedError" in repr(client.only["exception"])


def test_verdict_outside_of_a_block_is_refused(client: Client) -> None:
    """It would have no effect, so it says what is missing."""
    for verdict in ("success", "failure"):
        arguments = () if verdict == "success" else ("why",)
        with pytest.raises(LocustError, match="catch_response=True"):
            getattr(client.session.get("/ok"), verdict)(*arguments)
        with pytest.raises(LocustError, match="with-block"):
            getattr(client.session.get("/ok", catch_response=True), verdict)(*arguments)
