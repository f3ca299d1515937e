"""The HTML report of a demo run."""
