"""Labels in Albanian.

Written by a machine, read by nobody who speaks the language. Whoever has read all of it and
answers for it puts a name into ``REVIEWER`` and ``reviewed`` into ``STATUS``.
"""

from typing import Final

from seefen.client.labels.sq import circumstances, codes, dealings, laboratory, vocabulary

STATUS: Final = "machine draft"
REVIEWER: Final = ""
LABELS: Final[dict[str, dict[str, str]]] = {
    **codes.LABELS,
    **vocabulary.LABELS,
    **circumstances.LABELS,
    **laboratory.LABELS,
    **dealings.LABELS,
}
