"""Headless flowgraphs."""
