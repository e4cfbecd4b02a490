"""The master's settings: what the command line, the environment and config files said, once and for all."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from locust_master.losses import LossTerms, WorkerLossPolicy
from locust_master.run_options import RunOptions, Stage, StepLoad
from locust_master.security.protection_terms import ProtectionTerms
from locust_protocol.limits import DEFAULT_PORT
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flags import ParsedFlags
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2

DEFAULT_MASTER_HOST = "127.0.0.1"
"""Where `locust-worker` looks for its master when it is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterSettings:
    """Settings of one master process. Times in seconds; None where a thing has no limit or was not given."""

    locustfiles: tuple[str, ...]
    extra_files: tuple[str, ...]
    bind_host: str
    bind_port: int
    options: RunOptions
    headless: bool
    autostart: bool
    autoquit_s: float | None
    expect_workers: int
    expect_runners: int
    expect_max_wait_s: float | None
    processes: int | None
    stop_timeout_s: float
    print_stats: bool
    only_summary: bool
    reset_stats: bool
    json: bool
    max_names: int
    given: tuple[str, ...]
    """Flags about the number of users that were given, by whatever source."""
    exit_code_on_error: int
    run_dir: Path
    resume_within_s: float
    lease_ttl_s: float
    protection: ProtectionTerms
    loss_terms: LossTerms
    log_level: str
    runner_arguments: tuple[str, ...]
    secret_arguments: tuple[tuple[str, str], ...]

    def run_settings(self) -> assignment_pb2.RunSettings:
        """What runners and the script host are told, before a run says more."""
        return assignment_pb2.RunSettings(
            arguments=self.runner_arguments,
            secret_arguments=[
                assignment_pb2.SecretArgument(name=name, value=value) for name, value in self.secret_arguments
            ],
            host=self.options.host,
            user_classes=self.options.user_classes,
            stop_timeout_ms=round(self.stop_timeout_s * 1000),
            log_level=self.log_level,
            max_names=self.max_names,
        )

    @property
    def own_address(self) -> str:
        """The host by which this machine reaches the master."""
        host = self.bind_host.strip("[]")
        if host == "::":
            return "::1"
        return DEFAULT_MASTER_HOST if host in ("", "*", "0.0.0.0") else host

    def worker_command(self, port: int) -> str:
        """The command that starts a worker for this master, which listens on `port`, on the same machine."""
        host = self.own_address
        return (
            "locust-worker"
            + ("" if host == DEFAULT_MASTER_HOST else f" --master-host {host}")
            + ("" if port == DEFAULT_PORT else f" --master-port {port}")
        )


def locustfile_names(value: str) -> tuple[str, ...]:
    """Splits what `-f` was given at its commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def make_settings(parsed: ParsedFlags, command_line: link_pb2.CommandLine) -> MasterSettings:
    """Makes the settings from parsed flags. Raises `UsageError` for combinations that cannot be."""
    values = parsed.values
    options = RunOptions(
        users=1 if values.num_users is None else values.num_users,
        spawn_rate=1.0 if values.spawn_rate is None else values.spawn_rate,
        host=values.host or None,
        run_time_s=values.run_time or None,
        user_classes=tuple(values.user_classes),
        profile=values.profile or "",
        load_shape=_load_shape(values.load_shape),
        stages=tuple(Stage(seconds, users) for seconds, users in values.stages or ()),
        step_load=_step_load(values),
    ).checked()
    _check_combinations(values)
    return MasterSettings(
        locustfiles=locustfile_names(values.locustfile),
        extra_files=tuple(values.extra_files),
        bind_host=values.master_bind_host,
        bind_port=values.master_bind_port,
        options=options,
        headless=values.headless,
        autostart=values.autostart,
        autoquit_s=None if values.autoquit < 0 else float(values.autoquit),
        expect_workers=values.expect_workers,
        expect_runners=values.expect_runners or 0,
        expect_max_wait_s=values.expect_workers_max_wait or None,
        processes=values.processes,
        stop_timeout_s=float(values.stop_timeout),
        print_stats=values.print_stats,
        only_summary=values.only_summary,
        reset_stats=values.reset_stats,
        json=values.json,
        max_names=values.max_names,
        given=tuple(
            flag
            for flag, value in (("--users", values.num_users), ("--spawn-rate", values.spawn_rate))
            if value is not None
        ),
        exit_code_on_error=values.exit_code_on_error,
        run_dir=Path(values.run_dir).expanduser(),
        resume_within_s=float(values.resume_within),
        lease_ttl_s=float(values.lease_ttl),
        protection=ProtectionTerms(
            is_insecure=values.insecure,
            certificate_file=values.tls_cert,
            key_file=values.tls_key,
            client_authority_file=values.tls_client_ca,
        ).checked(),
        loss_terms=LossTerms(WorkerLossPolicy(values.on_worker_loss), values.allow_lost),
        log_level=values.loglevel,
        runner_arguments=tuple(command_line.arguments),
        secret_arguments=tuple((secret.name, secret.value) for secret in command_line.secrets),
    )


def _load_shape(given: str | None) -> str | None:
    return "" if given is not None and given.lower() == "none" else given


def _step_load(values: argparse.Namespace) -> StepLoad | None:
    if not values.step_load:
        idle = [
            name
            for name, value in (("--step-users", values.step_users), ("--step-time", values.step_time))
            if value is not None
        ]
        if idle:
            raise UsageError(f"{' and '.join(idle)} without --step-load", remedy="add --step-load")
        return None
    if values.stages:
        raise UsageError("--stages and --step-load exclude each other", remedy="give one of them")
    if values.num_users is None:
        raise UsageError("--step-load needs to know how far it climbs", remedy="add --users, such as 100")
    if values.step_users is None or values.step_time is None:
        raise UsageError(
            "--step-load needs to know its steps",
            remedy="add --step-users and --step-time, such as 10 and 30s",
        )
    return StepLoad(values.step_users, values.step_time)


def _check_combinations(values: argparse.Namespace) -> None:
    if values.headless and values.autostart:
        raise UsageError("--headless and --autostart exclude each other", remedy="give one of them")
    if values.autoquit >= 0 and not (values.autostart or values.headless):
        raise UsageError("--autoquit works with --autostart only", remedy="add --autostart")
