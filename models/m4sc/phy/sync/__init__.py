"""Burst detection."""
