"""The tamper-evident logs: trees, tiles, checkpoints and records.

``tree`` hashes and proves, ``tiles`` keeps what a log stores, ``note`` signs tree heads,
``record`` is what a leaf of the activity log says. The format is ``docs/spec/ledger.md``.
"""
