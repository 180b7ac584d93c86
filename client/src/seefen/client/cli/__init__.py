"""The command line ``seefen``."""

from seefen.client.cli.app import main

__all__ = ["main"]
