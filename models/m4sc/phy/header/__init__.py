"""The frame header: its fields and its code."""
