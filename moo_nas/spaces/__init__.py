"""What can be searched: genes, spaces, and the architectures they decode to."""

from moo_nas.spaces.architecture import Architecture, CellStage, Head, ResidualStage, Stage, Stem
from moo_nas.spaces.block import Block, Layer
from moo_nas.spaces.cell import CellSpace
from moo_nas.spaces.flat import FlatArchitecture, FlatSpace
from moo_nas.spaces.gene import Gene
from moo_nas.spaces.graph import Cell
from moo_nas.spaces.joint import Configured, JointSpace
from moo_nas.spaces.pruned import PrunedSpace
from moo_nas.spaces.space import SearchSpace
from moo_nas.spaces.stage import StageChoices, StageSpace

__all__ = [
    "Architecture",
    "Block",
    "Cell",
    "CellSpace",
    "CellStage",
    "Configured",
    "FlatArchitecture",
    "FlatSpace",
    "Gene",
    "Head",
    "JointSpace",
    "Layer",
    "PrunedSpace",
    "ResidualStage",
    "SearchSpace",
    "Stage",
    "StageChoices",
    "StageSpace",
    "Stem",
]
