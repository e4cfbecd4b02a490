"""Who may call what: every method of the schema, for every caller."""

from __future__ import annotations

from typing import Any

import pytest

from locust_master.security.authorization import SERVICES, may_call, role_of
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1 import options_pb2

METHODS = [
    (service.full_name, method)
    for file in SERVICES
    for service in file.services_by_name.values()
    for method in service.methods
]


def test_both_services_are_walked() -> None:
    """The walk below must not be empty."""
    assert {service for service, _ in METHODS} == {"locust.v1.MasterService", "locust.v1.ControlService"}


@pytest.mark.parametrize(("service", "method"), METHODS, ids=lambda each: getattr(each, "name", each))
def test_every_method_declares_its_role(service: str, method: Any) -> None:
    """Who may call stands beside each method from the first day."""
    declared = method.GetOptions().Extensions[options_pb2.role]
    assert declared != options_pb2.ROLE_UNSPECIFIED
    assert role_of(f"/{service}/{method.name}") == declared


@pytest.mark.parametrize(("service", "method"), METHODS, ids=lambda each: getattr(each, "name", each))
def test_workers_methods_are_theirs_and_no_other_is(service: str, method: Any) -> None:
    """A worker's credential must not control runs, a client's must not report."""
    is_theirs = role_of(f"/{service}/{method.name}") == options_pb2.ROLE_WORKER
    assert is_theirs is (service == "locust.v1.MasterService")


@pytest.mark.parametrize(
    ("method", "role"),
    [
        ("/grpc.health.v1.Health/Check", options_pb2.ROLE_NONE),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", options_pb2.ROLE_READ_ONLY),
        ("/locust.v1.ControlService/NoSuchMethod", options_pb2.ROLE_CONTROL),
        ("/other.Service/Method", options_pb2.ROLE_CONTROL),
        ("", options_pb2.ROLE_CONTROL),
    ],
)
def test_methods_of_others_have_the_role_that_is_safe(method: str, role: int) -> None:
    """What forgot to say is not open."""
    assert role_of(method) == role


@pytest.mark.parametrize(
    ("caller", "allowed"),
    [
        (None, {options_pb2.ROLE_NONE}),
        (AccessRole.READ_ONLY, {options_pb2.ROLE_NONE, options_pb2.ROLE_READ_ONLY}),
        (AccessRole.WORKER, {options_pb2.ROLE_NONE, options_pb2.ROLE_WORKER}),
        (
            AccessRole.CONTROL,
            {
                options_pb2.ROLE_NONE,
                options_pb2.ROLE_READ_ONLY,
                options_pb2.ROLE_WORKER,
                options_pb2.ROLE_CONTROL,
                options_pb2.ROLE_UNSPECIFIED,
            },
        ),
    ],
)
def test_each_caller_may_what_its_role_says_and_no_more(caller: AccessRole | None, allowed: set[int]) -> None:
    """A method that forgot to say is for those who may everything."""
    assert {role for role in options_pb2.Role.values() if may_call(caller, role)} == allowed
