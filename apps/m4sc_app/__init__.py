"""The `m4sc` command."""
