"""Flags of Locust that mean nothing here, or nothing yet: what people's command lines may still hold.

A flag whose loss changes no result is accepted with a warning. One that would change what runs, what is
written or who may connect is refused, with what to do instead: a run must not quietly be another one.
"""

from __future__ import annotations

from locust_protocol.process.flag_values import listening_port
from locust_protocol.process.flags import Flag, FlagKind

_GROUP = "Flags of Locust"
_NO_WEB = "there is no web interface, locust-tui watches and controls the test"
_NOT_YET = "it is not available yet, leave it out"
_RESULTS_NOT_YET = "it is not available yet, leave it out (the run store in --run-dir keeps all results)"


def _accepted(
    *names: str, env: str, reason: str, default: object = None, kind: FlagKind = FlagKind.VALUE
) -> Flag:
    return Flag(names, "", _GROUP, kind, env=env, default=default, without_effect=reason)


def _refused(*names: str, instead: str, env: str = "", dest: str = "", default: object = None) -> Flag:
    return Flag(names, "", _GROUP, dest=dest, env=env, default=default, refused=instead)


RETIRED_FLAGS = (
    _accepted("--web-host", env="LOCUST_WEB_HOST", reason=_NO_WEB, default=""),
    _accepted("--web-host-display-name", env="LOCUST_WEB_HOST_DISPLAY_NAME", reason=_NO_WEB),
    Flag(
        ("-P", "--web-port"),
        "",
        _GROUP,
        env="LOCUST_WEB_PORT",
        parse=listening_port,
        default=8089,
        without_effect=_NO_WEB,
    ),
    _accepted("--web-base-path", env="LOCUST_WEB_BASE_PATH", reason=_NO_WEB, default=""),
    _accepted("--web-login", env="LOCUST_WEB_LOGIN", reason=_NO_WEB, kind=FlagKind.SWITCH),
    _accepted("--build-path", env="LOCUST_BUILD_PATH", reason=_NO_WEB, default=""),
    _accepted(
        "--class-picker",
        env="LOCUST_USERCLASS_PICKER",
        reason="locust-tui always offers the choice of classes",
        kind=FlagKind.SWITCH,
    ),
    _accepted(
        "--enable-rebalancing",
        env="LOCUST_ENABLE_REBALANCING",
        reason="users are always rebalanced",
        kind=FlagKind.SWITCH,
    ),
    _accepted(
        "--master",
        env="LOCUST_MODE_MASTER",
        reason="locust-master is always the master",
        kind=FlagKind.SWITCH,
    ),
    _accepted(
        "--worker",
        env="LOCUST_MODE_WORKER",
        reason="locust-master is always the master, start locust-worker for a worker",
        kind=FlagKind.SWITCH,
    ),
    _refused("--config-users", env="LOCUST_CONFIG_USERS", instead=_NOT_YET),
    _refused("--csv", env="LOCUST_CSV", dest="csv_prefix", instead=_RESULTS_NOT_YET),
    _refused(
        "--csv-full-history",
        env="LOCUST_CSV_FULL_HISTORY",
        dest="stats_history_enabled",
        default=False,
        instead=_RESULTS_NOT_YET,
    ),
    _refused("--html", env="LOCUST_HTML", dest="html_file", instead=_RESULTS_NOT_YET),
    _refused("--json-file", dest="json_file", instead="it is not available yet, use --json > FILE"),
    _refused("--otel", env="LOCUST_ENABLE_OPENTELEMETRY", default=False, instead=_NOT_YET),
    _refused("--show-task-ratio", default=False, instead=_NOT_YET),
    _refused("--show-task-ratio-json", default=False, instead=_NOT_YET),
    _refused("--web-auth", env="LOCUST_WEB_AUTH", instead=_NO_WEB),
    _refused("--legacy-ui", env="LOCUST_LEGACY_UI", default=False, instead=_NO_WEB),
    _refused("--expect-slaves", instead="use --expect-workers"),
    _refused("--slave", instead="start locust-worker"),
)
"""Accepted or refused, each with its reason; none of them shows in the help."""
