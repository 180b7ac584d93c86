"""The auditor's work, piece by piece; :class:`seefen.client.auditing.Audit` is its face."""
