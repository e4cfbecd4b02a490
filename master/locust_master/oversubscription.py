"""Hosts on which runners outnumber the cores: a fleet that starts an agent for each core ends there. Pure."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from locust_master.membership import Member

logger = logging.getLogger(__name__)


def oversubscribed_hosts(members: Sequence[Member]) -> dict[str, str]:
    """Returns a sentence with the remedy by host, for each host that has too many runners."""
    by_host: dict[str, list[Member]] = {}
    for member in members:
        by_host.setdefault(host_of(member), []).append(member)
    sentences = {}
    for host, agents in by_host.items():
        facts = agents[0].request.host
        runners = sum(agent.runners for agent in agents)
        if facts.usable_cores and runners > facts.usable_cores:
            sentences[host] = (
                f"host {facts.hostname or host} runs {runners} runners in {len(agents)} worker(s) on "
                f"{facts.usable_cores} core(s): start one locust-worker a machine, without --processes"
            )
    return sentences


def host_of(member: Member) -> str:
    """Returns what tells a member's machine from others."""
    return member.request.host.host_id or member.name


class OversubscriptionWatch:
    """Remembers which hosts were named already, so that each is named once while it lasts."""

    def __init__(self) -> None:
        self._named: set[str] = set()

    def notices(self, member: Member, live: Sequence[Member]) -> list[str]:
        """Returns what the operator of `member` should know; what is new of any host is logged here, too."""
        sentences = oversubscribed_hosts(live)
        for sentence in self.new_sentences(sentences):
            logger.warning("%s", sentence)
        host = host_of(member)
        return [sentences[host]] if host in sentences else []

    def new_sentences(self, sentences: dict[str, str]) -> list[str]:
        """Returns the sentences about hosts that were not named yet; `sentences` are all of now."""
        new = [sentence for host, sentence in sentences.items() if host not in self._named]
        self._named = set(sentences)
        return new
