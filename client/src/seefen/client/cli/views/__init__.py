"""Views: a value of the library in, something to print out. No command and no client here."""
