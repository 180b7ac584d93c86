"""The client of seefen: the library on which command line, desk and agent stand."""

from seefen.client.client import Client
from seefen.client.connection import LoginError, UnreachableError

__all__ = ["Client", "LoginError", "UnreachableError"]
