"""The terminal screen: watches and controls a run over the control service."""

from locust_protocol.process.grpc_environment import prepare_grpc

prepare_grpc()
