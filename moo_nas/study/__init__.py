"""Searches and comparisons: from a definition to a folder that can be continued, read and trusted."""

from moo_nas.study.ask_tell import OpenRun
from moo_nas.study.compare import compare
from moo_nas.study.comparison import Comparison
from moo_nas.study.fronts import fronts
from moo_nas.study.run import Run
from moo_nas.study.search import search
from moo_nas.study.session import Progress

__all__ = ["Comparison", "OpenRun", "Progress", "Run", "compare", "fronts", "search"]
