"""Kolmogorov-Arnold layers, and what they are compared with."""

from m4sc.kan.bspline import BSplineKanLayer
from m4sc.kan.factory import make_layer
from m4sc.kan.mlp import MlpLayer
from m4sc.kan.radial import RbfKanLayer

__all__ = ["BSplineKanLayer", "MlpLayer", "RbfKanLayer", "make_layer"]
