"""What nodes and the broker say to each other: pure, no I/O, no clock, no log."""
