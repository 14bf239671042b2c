"""What a comparison is asked for, by the words of a command line."""

from collections.abc import Mapping, Sequence

from moo_nas import registry
from moo_nas.errors import InputError, unknown
from moo_nas.formulations import Formulation
from moo_nas.study.plans import Plan, Spread


def asked(name: str, limits: Mapping[str, float], default: Sequence[str]) -> Formulation | Plan:
    """Return what a name stands for: a plan, a formulation, or as ``name:5`` a spread of five.

    Args:
        name: Of a registered plan or formulation.
        limits: Of those that take some.
        default: The metrics, the score first.

    Raises:
        InputError: An unknown name, or a number that is none.

    Example:
        >>> asked("weighted-sum:5", {}, ["score", "latency_ms"]).name
        'weighted-sum-x5'
    """
    if name in registry.names("plan"):
        plan: Plan = registry.load("plan", name)(None, {}, default)
        return plan
    kind, sign, n = name.partition(":")
    if kind not in registry.names("formulation"):
        raise unknown("formulation or plan", kind, [*registry.names("formulation"), *registry.names("plan")])
    made: Formulation = registry.load("formulation", kind)(None, limits if kind != "single" else {}, default)
    if not sign:
        return made
    if not n.isdecimal():
        raise InputError(f"A spread is name:number, such as weighted-sum:5; got '{name}'.")
    return Spread.even(made, int(n))
