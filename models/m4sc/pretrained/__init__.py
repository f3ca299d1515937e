"""Finding pretrained backbones: installed packages, folders, or Hugging Face ids."""

from m4sc.pretrained.cache import cache_home
from m4sc.pretrained.registry import BACKBONES, KINDS, BackboneError, backbone_names
from m4sc.pretrained.resolver import resolve

__all__ = ["BACKBONES", "KINDS", "BackboneError", "backbone_names", "cache_home", "resolve"]
