"""Kolmogorov-Arnold layers, and what they are compared with."""

from m4sc.coding.kan.bspline import BSplineKanLayer
from m4sc.coding.kan.factory import make_layer
from m4sc.coding.kan.mlp import MlpLayer
from m4sc.coding.kan.radial import RbfKanLayer

__all__ = ["BSplineKanLayer", "MlpLayer", "RbfKanLayer", "make_layer"]
