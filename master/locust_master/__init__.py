"""The master: plans runs, places users on workers, merges and keeps what they count."""

from locust_protocol.process.grpc_environment import prepare_grpc

prepare_grpc()
