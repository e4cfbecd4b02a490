"""What a master says when it listens: where, and how workers and clients get in."""

from __future__ import annotations

import logging
import sys

from locust_master.security.identity import read_role_token
from locust_master.security.invitation import own_address, pasteable_line
from locust_master.settings import MasterSettings
from locust_master.summaries import INSECURE
from locust_protocol.addresses import join_address
from locust_protocol.limits import DEFAULT_PORT
from locust_protocol.security.private_files import security_folder
from locust_protocol.security.roles import AccessRole

logger = logging.getLogger(__name__)


def say_address(settings: MasterSettings, port_number: int) -> None:
    """Says where the master listens, and how workers and clients get there."""
    host = settings.bind_host
    shown = "*" if host in ("", "0.0.0.0") else host
    logger.info("master listens on %s", join_address(shown, port_number))
    port = "" if port_number == DEFAULT_PORT else f" --master-port {port_number}"
    where = own_address() if host in ("*", "", "0.0.0.0", "::", "[::]") else host
    if settings.protection.is_insecure:
        logger.warning("INSECURE: %s", INSECURE)
        port += " --insecure"
    if not settings.headless:
        logger.info("add workers with `locust-worker --master-host %s%s`", where, port)
        logger.info("control it with `locust-tui --master-host %s%s`", where, port)
        if not settings.protection.is_insecure:
            logger.info("from other machines they want a join token: `locust-master token` prints it")
            _show_line_to_paste(f"{where}{port}")


def _show_line_to_paste(where: str) -> None:
    """Shows a person how to add another machine. It holds a secret: so to a terminal, and never to a log."""
    if not sys.stderr.isatty():
        return
    token = read_role_token(security_folder(), AccessRole.WORKER)
    if token is not None:
        print(f"\nPaste on another machine:\n  {pasteable_line(token.text, where=where)}\n", file=sys.stderr)
