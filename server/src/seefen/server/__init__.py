"""The broker: keeps and orders what it cannot read."""
