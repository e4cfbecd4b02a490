"""The agent: one a machine, with a runner process a core."""

from locust_protocol.process.grpc_environment import prepare_grpc

prepare_grpc()
