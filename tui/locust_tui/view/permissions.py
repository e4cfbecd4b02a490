"""What can be done now, and why the rest cannot. Pure.

Each function returns "" when the action is possible, else the reason with the remedy. The master decides
in the end; this spares a person the question.
"""

from __future__ import annotations

from locust_tui import connection
from locust_tui.connection import Link, LinkPhase
from locust_tui.model import Picture
from locust_tui.view.header import present_workers


def why_not_start(picture: Picture, link: Link, *, now_s: float) -> str:
    """Why no run can be started."""
    if reason := _why_not_connected(picture, link, now_s):
        return reason
    if picture.is_moving:
        return "a run goes on: stop it first"
    if not present_workers(picture):
        return f"no worker is connected; start one: {worker_command(link.target)}"
    return ""


def why_not_edit(picture: Picture, link: Link, *, now_s: float) -> str:
    """Why users and spawn rate cannot be changed."""
    if reason := _why_not_connected(picture, link, now_s):
        return reason
    if not picture.is_moving:
        return "no run goes on: start one with n"
    return ""


def why_not_stop(picture: Picture, link: Link, *, now_s: float) -> str:
    """Why nothing can be stopped."""
    if reason := _why_not_connected(picture, link, now_s):
        return reason
    return "" if picture.is_moving else "no run goes on"


def why_not_touch_run(picture: Picture, link: Link, *, now_s: float) -> str:
    """Why statistics cannot be reset and no mark be set."""
    if reason := _why_not_connected(picture, link, now_s):
        return reason
    return "" if picture.has_run else "there is no run yet: start one with n"


def why_not_shut_down(picture: Picture, link: Link, *, now_s: float) -> str:
    """Why the master cannot be ended from here."""
    return _why_not_connected(picture, link, now_s)


def worker_command(target: str) -> str:
    """Returns the command that starts a worker for the master at `target`."""
    host, _, port = target.rpartition(":")
    return f"locust-worker --master-host {host.strip('[]')} --master-port {port}"


def _why_not_connected(picture: Picture, link: Link, now_s: float) -> str:
    if link.phase is LinkPhase.CONNECTED and picture.is_known:
        return ""
    return connection.headline(link, now_s) or f"connecting to {link.target}"
