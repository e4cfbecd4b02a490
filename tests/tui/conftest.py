"""Set before anything in this folder imports grpc: its core would print the goaways of every test."""

from __future__ import annotations

import os

os.environ["GRPC_VERBOSITY"] = "NONE"
