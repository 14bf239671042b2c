"""Zero-cost proxies: scores of untrained networks from one minibatch.

One file, one proxy, one equation; :mod:`~moo_nas.meters.proxies.proxy` declares direction and range
of each, :mod:`~moo_nas.meters.proxies.meter` measures several of them from one forward pass and its
gradients.
"""

from moo_nas.meters.proxies.meter import ZeroCost, score_network
from moo_nas.meters.proxies.proxy import PROXIES, Proxy

__all__ = ["PROXIES", "Proxy", "ZeroCost", "score_network"]
