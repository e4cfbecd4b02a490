"""Who may call what: a caller's role against the one that the method declares in the schema. Pure."""

from __future__ import annotations

from locust_protocol.security.roles import AccessRole
from locust_protocol.v1 import control_service_pb2, master_service_pb2, options_pb2

SERVICES = (master_service_pb2.DESCRIPTOR, control_service_pb2.DESCRIPTOR)

_MAY: dict[options_pb2.Role.ValueType, frozenset[AccessRole]] = {
    options_pb2.ROLE_READ_ONLY: frozenset({AccessRole.READ_ONLY, AccessRole.CONTROL}),
    options_pb2.ROLE_WORKER: frozenset({AccessRole.WORKER, AccessRole.CONTROL}),
    options_pb2.ROLE_CONTROL: frozenset({AccessRole.CONTROL}),
}


def may_call(caller: AccessRole | None, needed: options_pb2.Role.ValueType) -> bool:
    """True when a caller may call a method that needs a role; None is a caller without a credential."""
    if needed == options_pb2.ROLE_NONE:
        return True
    return caller in _MAY.get(needed, _MAY[options_pb2.ROLE_CONTROL])


def role_of(method: str) -> options_pb2.Role.ValueType:
    """Returns the role that "/package.Service/Method" demands; ROLE_CONTROL where none is declared."""
    service_name, _, method_name = method.lstrip("/").partition("/")
    for file in SERVICES:
        for service in file.services_by_name.values():
            if service.full_name == service_name and method_name in service.methods_by_name:
                options = service.methods_by_name[method_name].GetOptions()
                return options.Extensions[options_pb2.role] or options_pb2.ROLE_CONTROL
    return _standard_role(service_name)


def _standard_role(service_name: str) -> options_pb2.Role.ValueType:
    if service_name == "grpc.health.v1.Health":
        return options_pb2.ROLE_NONE
    if service_name.startswith("grpc.reflection."):
        return options_pb2.ROLE_READ_ONLY
    return options_pb2.ROLE_CONTROL
