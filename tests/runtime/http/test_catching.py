"""The rule of `with` blocks, as a table."""

from __future__ import annotations

import pytest
from gevent import GreenletExit

from locust_runtime.exceptions import RequestInterrupted, ResponseError, StopUser
from locust_runtime.http.catching import Decision, Ending, Verdict, decide

OWN = ValueError("own")
RESPONSE_ERROR = ResponseError("broken")


@pytest.mark.parametrize(
    ("verdict", "raised", "decision"),
    [
        (None, None, Decision(Ending.REPORT_STATUS, None, swallows=True)),
        (True, None, Decision(Ending.REPORT_VERDICT, None, swallows=True)),
        (OWN, None, Decision(Ending.REPORT_VERDICT, OWN, swallows=True)),
        (None, RESPONSE_ERROR, Decision(Ending.REPORT_VERDICT, RESPONSE_ERROR, swallows=True)),
        (True, RESPONSE_ERROR, Decision(Ending.REPORT_VERDICT, None, swallows=False)),
        (None, KeyError(), Decision(Ending.DROP)),
        (None, StopUser(), Decision(Ending.DROP)),
        (OWN, KeyError(), Decision(Ending.REPORT_VERDICT, OWN, swallows=False)),
        (None, GreenletExit(), Decision(Ending.INTERRUPTED)),
        (None, RequestInterrupted(), Decision(Ending.INTERRUPTED)),
        (True, GreenletExit(), Decision(Ending.REPORT_VERDICT, None, swallows=False)),
        (OWN, RequestInterrupted(), Decision(Ending.REPORT_VERDICT, OWN, swallows=False)),
    ],
)
def test_decision_follows_verdict_then_exception_then_status(
    verdict: Verdict, raised: BaseException | None, decision: Decision
) -> None:
    """A verdict stands whatever follows it; only a block's own end may swallow."""
    assert decide(verdict, raised) == decision
