"""Join tokens survive being pasted, and never show their secret by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.security.join_token import (
    SECRET_BYTES,
    JoinToken,
    NoToken,
    certificate_hash,
    new_secret,
    read_token,
)

secrets = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES).map(new_secret)
tokens = st.builds(JoinToken, st.binary(min_size=1, max_size=99).map(certificate_hash), secrets)


@given(token=tokens, before=st.sampled_from(("", " ", "\n")), after=st.sampled_from(("", "\n", " \r\n")))
def test_text_of_a_token_is_read_back(token: JoinToken, before: str, after: str) -> None:
    """A terminal or an editor may add white space around it."""
    assert read_token(before + token.text + after, source="a file") == token


@given(token=tokens)
def test_secret_shows_in_no_representation(token: JoinToken) -> None:
    """Logs and tracebacks print objects."""
    assert token.secret not in f"{token} {token!r}"


@given(text=st.text(max_size=120))
def test_what_is_no_token_is_refused_without_repeating_it(text: str) -> None:
    """It may be another secret that was pasted by mistake."""
    with pytest.raises(NoToken) as refused:
        read_token(f"planted-{text}", source="LOCUST_TOKEN")
    assert "planted" not in str(refused.value)
    assert "LOCUST_TOKEN" in str(refused.value)


@given(token=tokens, data=st.data())
def test_a_token_that_lost_a_character_is_no_token(token: JoinToken, data: st.DataObject) -> None:
    """A line that was cut at the edge of a terminal."""
    place = data.draw(st.integers(0, len(token.text) - 1))
    with pytest.raises(NoToken):
        read_token(token.text[:place] + token.text[place + 1 :], source="a file")


@given(certificate=st.binary(min_size=1, max_size=200), other=st.binary(min_size=1, max_size=200))
def test_a_token_names_one_certificate(certificate: bytes, other: bytes) -> None:
    """That is all that stands between a worker and an impostor."""
    token = JoinToken(certificate_hash(certificate), new_secret(b"s" * SECRET_BYTES))
    assert token.names(certificate)
    assert token.names(other) is (certificate == other)
