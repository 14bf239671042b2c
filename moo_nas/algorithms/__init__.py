"""Search algorithms on integer genomes, each a pymoo ``Algorithm``."""

from moo_nas.algorithms.aging import AgingEvolution
from moo_nas.algorithms.hardware_aging import HardwareAwareAging
from moo_nas.algorithms.nsga2 import NSGA2
from moo_nas.algorithms.random_search import RandomSearch
from moo_nas.algorithms.surrogate import SurrogateSearch

__all__ = ["NSGA2", "AgingEvolution", "HardwareAwareAging", "RandomSearch", "SurrogateSearch"]
