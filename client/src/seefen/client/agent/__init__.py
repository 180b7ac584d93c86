"""The agent: a node's process that is always there, mirrors both logs and raises alarms."""

from seefen.client.agent.agent import Agent
from seefen.client.agent.alarms import Alarm, Alarms

__all__ = ["Agent", "Alarm", "Alarms"]
