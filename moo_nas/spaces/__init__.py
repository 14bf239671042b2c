"""What can be searched: genes, spaces, and the architectures they decode to."""

from moo_nas.spaces.architecture import Architecture, Block, Head, Layer, Stage, Stem
from moo_nas.spaces.gene import Gene
from moo_nas.spaces.space import SearchSpace
from moo_nas.spaces.stage import StageChoices, StageSpace

__all__ = [
    "Architecture",
    "Block",
    "Gene",
    "Head",
    "Layer",
    "SearchSpace",
    "Stage",
    "StageChoices",
    "StageSpace",
    "Stem",
]
