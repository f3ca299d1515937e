"""Payloads to frames and back; air time."""
