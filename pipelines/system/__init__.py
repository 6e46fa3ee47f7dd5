"""The machine and its user: how many cores there are, and a progress bar."""
