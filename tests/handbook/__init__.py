"""The handbook's transcripts, run for real."""
