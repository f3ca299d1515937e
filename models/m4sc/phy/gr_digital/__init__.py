"""gr-digital's packet format."""
