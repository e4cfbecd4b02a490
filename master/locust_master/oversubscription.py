"""Hosts on which runners outnumber the cores: a fleet that starts an agent for each core ends there. Pure."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from locust_master.membership import Member

logger = logging.getLogger(__name__)


def oversubscribed_hosts(members: Sequence[Member]) -> dict[str, str]:
    """Returns a sentence with the remedy by host, for each host that has too many runners."""
    runners: dict[str, int] = {}
    agents: dict[str, int] = {}
    for member in members:
        runners[member.host] = runners.get(member.host, 0) + member.runners
        agents[member.host] = agents.get(member.host, 0) + 1
    firsts = {member.host: member for member in reversed(members)}
    return {
        host: _sentence(firsts[host], runners=count, agents=agents[host])
        for host, count in runners.items()
        if 0 < firsts[host].usable_cores < count
    }


def _sentence(first: Member, *, runners: int, agents: int) -> str:
    return (
        f"host {first.request.host.hostname or first.host} runs {runners} runners in {agents} worker(s) on "
        f"{first.usable_cores} core(s): start one locust-worker a machine, without --processes"
    )


class OversubscriptionWatch:
    """Remembers which hosts were named already, so that each is named once while it lasts."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def notices(self, member: Member, live: Sequence[Member]) -> list[str]:
        """Returns what the operator of `member` should know; what is new of any host is logged here, too."""
        sentences = oversubscribed_hosts(live)
        for sentence in self.new_sentences(sentences):
            logger.warning("%s", sentence)
        return [sentences[member.host]] if member.host in sentences else []

    def new_sentences(self, sentences: dict[str, str]) -> list[str]:
        """Returns the sentences about hosts that were not named yet; `sentences` are all of now."""
        new = [sentence for host, sentence in sentences.items() if host not in self._named]
        self._named = set(sentences)
        return new
