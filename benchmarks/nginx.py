"""nginx as the target: fast enough on one core that the generator is what gets measured."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.processes import Command
from tests.support.wait import wait_until

from benchmarks.cores import pinned_to

BODY = "thirty-four bytes, answered by all"
"""34 bytes, so that results compare with earlier ones."""

START_DEADLINE_S = 10.0

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 "{body}"; }}
  }}
}}
"""


def find_nginx() -> str | None:
    """Path of the program; Debian keeps it where ordinary accounts do not look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which("nginx", path=path)


@contextmanager
def serving(nginx: str, *, core: int) -> Iterator[str]:
    """Serve BODY on a free port of the loopback, pinned to `core`; gives the URL."""
    assert len(BODY) == 34
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port, body=BODY))
        command = Command([nginx, "-p", folder, "-e", "stderr", "-c", configuration])
        with pinned_to(core):
            command.start()
        try:
            wait_until(
                lambda: command.exit_code is not None or _answers(url),
                deadline_s=START_DEADLINE_S,
                describe=command.describe,
            )
            if command.exit_code is not None:
                raise RuntimeError(f"nginx did not start\n{command.describe()}")
            yield url
        finally:
            command.close()


def _answers(url: str) -> bool:
    # An empty ProxyHandler: the proxies of the environment are not for the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as response:
            return bool(response.read().decode() == BODY)
    except OSError:
        return False
