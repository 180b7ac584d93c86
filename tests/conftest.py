"""Settings for every test: what a machine with two busy cores needs to be fair."""

from hypothesis import settings

# A deadline per example measures the machine, not us; a failure prints what reproduces it.
settings.register_profile("seefen", deadline=None, print_blob=True)
settings.load_profile("seefen")
