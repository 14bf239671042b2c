"""Search on a model of what was measured: Gaussian processes and expected hypervolume improvement."""

from moo_nas.algorithms.surrogate.search import SurrogateSearch

__all__ = ["SurrogateSearch"]
