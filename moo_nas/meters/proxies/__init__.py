"""Zero-cost proxies: scores of untrained networks from one minibatch.

One file, one proxy, one equation; :mod:`~moo_nas.meters.proxies.meter` measures several of them
from one forward pass and its gradients.
"""

from moo_nas.meters.proxies.meter import PROXIES, ZeroCost, score_network

__all__ = ["PROXIES", "ZeroCost", "score_network"]
