"""Frozen, pretrained encoders: what a picture or a sound becomes before the trained parts see it."""

from m4sc.encoders.image import ImageEncoder
from m4sc.encoders.speech import SpeechEncoder

__all__ = ["ImageEncoder", "SpeechEncoder"]
