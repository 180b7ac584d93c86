"""What the broker counts, for its operator: how much, how fast, how often refused.

Labels are kinds, rules and statuses from this code alone: never an id, a name of a node, an
address or anything that was sent. :mod:`seefen.server.web.watch` serves them, to this machine only.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

COUNTED: Final = CollectorRegistry()

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_JOBS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

COMMIT_SECONDS: Final = Histogram(
    "seefen_commit_seconds", "One group, from the lock to COMMIT.",
    buckets=_SECONDS, registry=COUNTED,
)  # fmt: skip
GROUP_JOBS: Final = Histogram(
    "seefen_group_jobs", "Jobs that were committed together.", buckets=_JOBS, registry=COUNTED
)
LEAVES: Final = Counter(
    "seefen_leaves", "Entries committed by this process, by log and kind.",
    ("log", "kind"), registry=COUNTED,
)  # fmt: skip
REFUSED: Final = Counter(
    "seefen_refused", "Requests that were refused, by status and rule.",
    ("status", "rule"), registry=COUNTED,
)  # fmt: skip
DENIED: Final = Counter(
    "seefen_denied", "Refusals for want of a right: entered, counted, unsigned, lost.",
    ("became",), registry=COUNTED,
)  # fmt: skip
ALARMS: Final = Counter("seefen_alarms", "Alarms, by rule.", ("rule",), registry=COUNTED)
PUSHED: Final = Counter("seefen_pushed", "Frames sent unasked.", registry=COUNTED)
BLOB_BYTES: Final = Counter(
    "seefen_blob_bytes", "Bytes of sealed files, by direction.", ("direction",), registry=COUNTED
)
WITNESSED_SECONDS: Final = Gauge(
    "seefen_witnessed_seconds", "Since when the quorum has signed no head; 0 without a quorum.",
    registry=COUNTED,
)  # fmt: skip
WHOLE_FSCK: Final = Gauge(
    "seefen_last_whole_fsck", "Unix time at which all entries were last hashed again by this "
    "process; 0 before the first night.",
    registry=COUNTED,
)  # fmt: skip
