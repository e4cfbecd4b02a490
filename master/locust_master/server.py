"""The master's gRPC server: address, services, health, reflection."""

from __future__ import annotations

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from locust_master.listening import bind_address, cannot_listen
from locust_master.security.gatekeeper import Gatekeeper
from locust_master.security.protection import Protection
from locust_master.services.control import ControlService
from locust_master.services.master import MasterService
from locust_protocol.channels import server_options
from locust_protocol.v1 import (
    control_service_pb2,
    control_service_pb2_grpc,
    master_service_pb2,
    master_service_pb2_grpc,
)

STOP_GRACE_S = 1.0
"""Seconds for calls under way at the end; streams were told to end before."""


class MasterServer:
    """The server, from its port on; it serves once it is started."""

    def __init__(self, *, host: str, port: int, protection: Protection | None) -> None:
        secrets = protection.secrets if protection is not None else None
        self._server = grpc.aio.server(interceptors=[Gatekeeper(secrets)], options=server_options())
        self._health = health.aio.HealthServicer()
        try:
            self.port = _bind(self._server, bind_address(host, port), protection)
        except RuntimeError as error:
            raise cannot_listen(host, port) from error

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


def _bind(server: grpc.aio.Server, address: str, protection: Protection | None) -> int:
    if protection is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, protection.server_credentials())
