"""Bytes and latents to symbols and back."""
