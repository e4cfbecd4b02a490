"""The locustfile as the master's script host has it: loaded, with a MasterRunner, ready for the moments."""

from __future__ import annotations

import logging
import os

from locust_protocol.runner.v1.link_pb2 import Load, Loaded
from locust_runtime.environment import Environment
from locust_runtime.run.user_code import load_user_code
from locust_runtime.runners import MasterRunner
from locust_runtime.script_host.arguments import describe
from locust_runtime.script_host.cluster_view import ClusterView
from locust_runtime.script_host.command_line import custom_argument_parser
from locust_runtime.script_host.merged_stats import MergedStats
from locust_runtime.script_host.moments import Moments
from locust_runtime.script_host.port import MasterPort
from locust_runtime.script_host.uplink import Uplink

logger = logging.getLogger(__name__)


class LoadedLocustfile:
    """What the frames after a Load are for."""

    def __init__(self, load: Load, uplink: Uplink) -> None:
        """Load the locustfile and fire `init`. Raises `LocustfileError`."""
        port = MasterPort(uplink)
        stats = MergedStats()

        def make_runner(environment: Environment) -> MasterRunner:
            environment.stats = stats
            environment.recorder = UncountedRequests()
            runner = MasterRunner(environment, port)
            runner.client_id = load.client_id
            self.runner = runner
            self.view = ClusterView(runner, stats, port)
            return runner

        user_code = load_user_code(load, make_runner)
        self.environment = user_code.environment
        self.moments = Moments(
            user_code=user_code,
            runner=self.runner,
            view=self.view,
            port=port,
            uplink=uplink,
            settings=load.settings,
        )
        manifest = user_code.manifest
        options = self.environment.parsed_options
        if options is not None:
            parser = custom_argument_parser(file=self.environment.locustfile or "")
            manifest.custom_arguments.extend(describe(parser, options))
        self.answer = Loaded(manifest=manifest, pid=os.getpid())


class UncountedRequests:
    """Stands where requests are counted: on the master there is nobody to count them."""

    def __init__(self) -> None:
        self._is_told = False

    def record(
        self,
        request_type: str,
        name: str,
        response_time_ms: float | None,
        response_length: int,
        exception: BaseException | str | None,
    ) -> None:
        """Says once that a request made here is in no statistics."""
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "requests that the locustfile makes on the master are not counted: type=%s name=%s",
                request_type,
                name,
            )

    def record_interrupted(self, request_type: str, name: str) -> None:
        """Does nothing."""
