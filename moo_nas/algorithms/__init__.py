"""Search algorithms on integer genomes, each a pymoo ``Algorithm``."""

from moo_nas.algorithms.aging import AgingEvolution
from moo_nas.algorithms.ctaea import CTAEA
from moo_nas.algorithms.hardware_aging import HardwareAwareAging
from moo_nas.algorithms.local_search import LocalSearch
from moo_nas.algorithms.moead import MOEAD
from moo_nas.algorithms.nsga2 import NSGA2
from moo_nas.algorithms.nsga3 import NSGA3
from moo_nas.algorithms.random_search import RandomSearch
from moo_nas.algorithms.rnsga2 import RNSGA2
from moo_nas.algorithms.rvea import RVEA
from moo_nas.algorithms.smsemoa import SMSEMOA
from moo_nas.algorithms.surrogate import SurrogateSearch

__all__ = [
    "CTAEA",
    "MOEAD",
    "NSGA2",
    "NSGA3",
    "RNSGA2",
    "RVEA",
    "SMSEMOA",
    "AgingEvolution",
    "HardwareAwareAging",
    "LocalSearch",
    "RandomSearch",
    "SurrogateSearch",
]
