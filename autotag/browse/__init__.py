"""A page over a library: served on this machine, or written as one file."""
