"""Systems that carry a message: one codec a file."""
