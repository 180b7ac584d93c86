"""Alarms: what an operator must see at once, because somebody may be cheating."""

import structlog

from seefen.server.metrics import ALARMS


def alarm(rule: str, **values: object) -> None:
    """Write an alarm to the log. Bytes are ids; the log writes them hashed."""
    ALARMS.labels(rule).inc()
    structlog.get_logger().error("alarm", rule=rule, **values)
