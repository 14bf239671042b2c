"""Problems whose results are all known: the exact front is found by looking."""

import numpy as np
import pandas as pd

from moo_nas.analysis.indicators import nondominated
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.errors import InputError
from moo_nas.formulations import Formulation
from moo_nas.problem import NASProblem
from moo_nas.study.run import evaluations_frame


class KnownProblem(NASProblem):
    """A problem on a table of results: what there is to be found is known before a search.

    What a search found is judged by it: :func:`~moo_nas.analysis.regret.regret_curve`.
    """

    def known_genomes(self) -> IntArray:
        """Return every genome that has results, ``(n, n_var)``, each network once."""
        pool = self.evaluator.pool
        if pool is not None:
            return pool
        every = np.indices(tuple(self.space.n_choices), dtype=np.int64).reshape(self.space.n_var, -1).T
        return np.unique(self.space.canonical(np.ascontiguousarray(every)), axis=0)

    def exact_front(self, formulation: Formulation | None = None) -> pd.DataFrame:
        """Return the networks that no other of the table dominates, with the columns of ``run.front``.

        Networks with equal objectives are all there.

        Args:
            formulation: What is asked for; by default the problem's.

        Raises:
            InputError: Nothing of the table meets the formulation's limits.
        """
        return self._exact(formulation)[0]

    def exact_objectives(self, formulation: Formulation | None = None) -> FloatArray:
        """Return the exact front's objectives ``(n, n_obj)``, all minimised, each point once."""
        return np.unique(self._exact(formulation)[1], axis=0)

    def _exact(self, formulation: Formulation | None) -> tuple[pd.DataFrame, FloatArray]:
        asked = self if formulation is None else self.under(formulation)
        table = asked.evaluations(self.known_genomes())
        f, g = asked.fitted().apply(table)
        feasible = ~table.failed & (g <= 0).all(axis=1)
        if not feasible.any():
            reason = next((reason for reason in table.reasons if reason), "no limit is met")
            raise InputError(
                f"Problem '{self.name}' has no front: none of {len(table)} networks is feasible ({reason})."
            )
        rows = np.flatnonzero(feasible)
        rows = rows[nondominated(f[rows])]
        return evaluations_frame(self.space, table, feasible, rows), f[rows]
