"""Where the flowgraphs come from: ``python -m recipes`` in ``flowgraphs/`` writes every .grc and its twin."""

from recipes.graph import Graph
from recipes.radio import all_radio
from recipes.simulated import all_simulated


def all_graphs() -> list[Graph]:
    """Every flowgraph of the project."""
    return [*all_simulated(), *all_radio()]
