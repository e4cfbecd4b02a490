"""The master's gRPC server: address, services, health, reflection."""

from __future__ import annotations

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from locust_master.port_holder import holder_of
from locust_master.services.control import ControlService
from locust_master.services.interceptors import RoleInterceptor
from locust_master.services.master import MasterService
from locust_protocol.channels import join_address, server_options
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import (
    control_service_pb2,
    control_service_pb2_grpc,
    master_service_pb2,
    master_service_pb2_grpc,
)

STOP_GRACE_S = 1.0
"""Seconds for calls under way at the end; streams were told to end before."""


_UNKNOWN_REASON = "the port is in use or the address is not of this machine"


def bind_address(host: str, port: int) -> str:
    """Returns the address to listen on; "*" and "" are all interfaces, IPv4 and, where there is, IPv6."""
    return join_address("0.0.0.0" if host in ("*", "") else host, port)


class MasterServer:
    """The server, from its port on; it serves once it is started."""

    def __init__(self, *, host: str, port: int) -> None:
        self._server = grpc.aio.server(interceptors=[RoleInterceptor()], options=server_options())
        self._health = health.aio.HealthServicer()
        self.port = _bind(self._server, host, port)

    async def serve(self, master: MasterService, control: ControlService) -> None:
        """Adds the services and starts."""
        master_service_pb2_grpc.add_MasterServiceServicer_to_server(master, self._server)
        control_service_pb2_grpc.add_ControlServiceServicer_to_server(control, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [
            master_service_pb2.DESCRIPTOR.services_by_name["MasterService"].full_name,
            control_service_pb2.DESCRIPTOR.services_by_name["ControlService"].full_name,
            health.SERVICE_NAME,
        ]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], self._server)
        await self._server.start()
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Stops serving."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(STOP_GRACE_S)


def _bind(server: grpc.aio.Server, host: str, port: int) -> int:
    address = bind_address(host, port)
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        holder = holder_of(port)
        reason = f"the port is in use by {holder}" if holder else _UNKNOWN_REASON
        raise UsageError(
            f"cannot listen on {address}: {reason}",
            remedy="end what uses it, or choose another with --bind-port",
        ) from error
