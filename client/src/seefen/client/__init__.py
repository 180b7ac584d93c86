"""The library an agency calls, and the command line that stands on it."""
