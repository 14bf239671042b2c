"""Names that installed packages add, some of them broken."""

import sys
import types
from importlib.metadata import EntryPoint, entry_points

import pytest

from moo_nas import NASProblem, registry
from moo_nas.algorithms import NSGA2, SurrogateSearch
from moo_nas.cli import DONE, WRONG_INPUT, main
from moo_nas.errors import InputError
from problems.additive import Additive

_PLUGIN = '''
from __future__ import annotations

from typing import TYPE_CHECKING

from problems.additive import Additive

if TYPE_CHECKING:
    from nowhere import Unknown


class Deferred(Additive):
    """A problem whose annotations are for type checkers alone."""

    def __init__(self, table: Unknown = None, seed: int = 0) -> None:
        super().__init__(seed=seed)


def needy(table):
    """A problem that needs an argument."""


def __getattr__(name):
    raise RuntimeError(f"no licence for {name}")
'''


@pytest.fixture
def plugins(monkeypatch):
    """Entry points of somebody else, most of them broken."""
    module = types.ModuleType("a_plugin")
    exec(_PLUGIN, module.__dict__)
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    added = {
        "problems": {"gone": "no_such_module:X", "deferred": "a_plugin:Deferred", "needy": "a_plugin:needy"},
        "algorithms": {"a-broken": "a_plugin:Licensed"},
    }

    def points(group):
        kind = group.removeprefix("moo_nas.")
        more = [EntryPoint(name, value, group) for name, value in added.get(kind, {}).items()]
        return [*entry_points(group=group), *more]

    monkeypatch.setattr(registry, "entry_points", points)


@pytest.mark.usefixtures("plugins")
def test_a_broken_plugin_is_listed_with_the_reason_and_hinders_no_other(capfd):
    assert main(["list"]) == DONE
    out = " ".join(capfd.readouterr().out.split())
    assert "gone Not here: The problem 'gone' (no_such_module:X) cannot be loaded: ModuleNotFoundError" in out
    assert "needy A problem that needs an argument. Not here: TypeError" in out
    assert "deferred A problem whose annotations are for type checkers alone. by default: error" in out
    assert "NSGA-II" in out
    assert "a-broken Not here: The algorithm 'a-broken'" in out
    assert registry.name_of("algorithm", "moo_nas.algorithms.nsga2.NSGA2") == "nsga2"
    assert registry.name_of("algorithm", "elsewhere.Mine") is None
    assert main(["search", "additive", "--algorithm", "a-broken"]) == WRONG_INPUT
    assert "cannot be loaded: RuntimeError: no licence for Licensed" in capfd.readouterr().err


@pytest.mark.usefixtures("plugins")
def test_of_annotations_that_cannot_be_evaluated_the_plugin_and_the_remedy_are_told(capfd):
    assert main(["list", "deferred"]) == WRONG_INPUT
    out, err = capfd.readouterr()
    assert "metrics: error (min)" in out
    assert "options of Deferred (a_plugin) are not known" in err
    assert "name 'Unknown' is not defined" in err
    assert isinstance(registry.make("problem", "deferred", {}), NASProblem)
    with pytest.raises(InputError, match="Import at run time what they name"):
        registry.make("problem", "deferred", {"seed": "1"})


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False)])
def test_truth_values_are_given_as_text(text, value):
    made = registry.make("algorithm", "surrogate", {"free_metrics": text})
    assert isinstance(made, SurrogateSearch)
    assert made.free_metrics is value


@pytest.mark.parametrize("text", ["", "0", "yes", "none"])
def test_what_is_no_truth_value_is_refused(text):
    with pytest.raises(
        InputError, match=f"'free_metrics' of surrogate cannot be '{text}': it is true or false"
    ):
        registry.make("algorithm", "surrogate", {"free_metrics": text})


def test_options_of_ones_own_types_are_for_python_alone():
    assert registry.options(Additive)["seed"] == "0"
    assert "store" not in registry.options(Additive)
    assert "kwargs" not in registry.options(NSGA2)
