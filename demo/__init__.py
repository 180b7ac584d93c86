"""The story that ``make demo`` tells, and the invented case and files it tells it with."""
