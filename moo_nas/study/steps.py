"""A search step by step: what its algorithm asks for, and the archive of what was answered."""

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.individual import Individual
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.problems.static import StaticProblem

from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.arrays import IntArray
from moo_nas.evaluation import Evaluations
from moo_nas.evaluation.bench import genome_text
from moo_nas.problem import NASProblem
from moo_nas.study.stops import Stagnation, Stops

# An algorithm that proposes so many known architectures in a row has nothing new to say.
_PATIENCE = 3000


class Steps:
    """An algorithm's steps up to the budget, exactly, and all that was answered in ask order.

    Args:
        algorithm: Set up on the problem.
        stops: What ends it.
        known: Canonical genomes ``(n, n_var)`` that are answered but not evaluated: what earlier runs
            on the same budget paid for.

    Attributes:
        table: What was evaluated, each network once, in ask order.
        stop_reason: Why it ended: budget, exhausted or stagnated; None before.
        n_failed: How many failed.
        front: The objectives of the front so far.
        box: Around what was feasible when first something was.
        around: Around all that was feasible so far.
    """

    def __init__(self, algorithm: Algorithm, stops: Stops, known: IntArray | None = None) -> None:
        self._algorithm = algorithm
        self._problem: NASProblem = algorithm.problem
        self._budget = stops.budget
        self._stagnation = None if stops.stagnation is None else Stagnation(stops.stagnation)
        # What pymoo needs to know of the problem to take F and G as answers; it copies it each time.
        self._shape = Problem(
            n_var=self._problem.n_var, n_obj=self._problem.n_obj, n_ieq_constr=self._problem.n_ieq_constr
        )
        pool = self._problem.evaluator.pool
        # What of a pool is not evaluated yet; where anything can be, it is counted against the space.
        self._left = None if pool is None else {genome_text(genome) for genome in self._problem.genomes(pool)}
        self._known = set() if known is None else set(map(genome_text, known))
        if self._left is not None:
            self._left -= self._known
        self._seen: set[str] = set()  # evaluated
        self._answered: set[str] = set()  # of the known
        nothing = np.empty((0, self._problem.n_var), dtype=np.int64)
        self._tables: list[Evaluations] = [self._problem.evaluations(nothing)]
        self._infills: Individual | Population | None = None
        self._cut = False  # did the budget cut the step that was asked for?
        self._idle = 0
        self.stop_reason: str | None = None
        self.n_failed = 0
        self.front = np.empty((0, self._problem.n_obj))
        self.box: Box | None = None
        self.around: Box | None = None
        self._ends = self.front  # the best and the worst of each objective that was feasible

    def __len__(self) -> int:
        """Return how many distinct networks were evaluated."""
        return len(self._seen)

    @property
    def table(self) -> Evaluations:
        """What was evaluated, in ask order."""
        self._tables = [Evaluations.concat(self._tables)]
        return self._tables[0]

    def ask(self) -> IntArray | None:
        """Return the genomes of the next step ``(n, n_var)``, as far as the budget goes; None at the end."""
        if self.stop_reason is None and len(self) == self._budget:
            self.stop_reason = "budget"
        if self.stop_reason is None and self._known and self._exhausted():
            self.stop_reason = "exhausted"
        if self.stop_reason is not None:
            return None
        self._infills = self._algorithm.ask()
        asked = self._asked()
        if len(asked) == 0:
            self.stop_reason = "exhausted"
            return None
        genomes = self._problem.genomes(asked.get("X"))
        whole = self._within_budget(genomes)
        self._cut = whole < len(genomes)
        return genomes[:whole]

    def answer(self, table: Evaluations) -> Evaluations:
        """Take in what measuring the step's genomes gave, and return the rows that are new."""
        f, g = self._problem.fg(table)
        fresh = self.new_rows(table.genomes)
        new = table.rows(fresh)
        self._seen.update(map(genome_text, new.genomes))
        if self._left is not None:
            self._left.difference_update(map(genome_text, new.genomes))
        self._tables.append(new)
        feasible = ~new.failed & (g[fresh] <= 0).all(axis=1)
        self.n_failed += int(new.failed.sum())
        valid = f[fresh][feasible]
        if len(valid):
            every = np.concatenate([self._ends, valid])
            self._ends = np.stack([every.min(axis=0), every.max(axis=0)])
            self.around = Box.around(self._ends)
            self.box = self.around if self.box is None else self.box
        front = np.concatenate([self.front, valid])
        self.front = front[nondominated(front)]
        answered = self._known.intersection(map(genome_text, table.genomes)) - self._answered
        self._answered |= answered
        self._idle = 0 if fresh or answered else self._idle + len(table)
        if self._cut:
            self.stop_reason = "budget"
            return new
        answers = StaticProblem(self._shape, F=f, **({"G": g} if g.shape[1] else {}))
        self._algorithm.evaluator.eval(answers, self._asked(), skip_already_evaluated=False)
        self._algorithm.tell(infills=self._infills)
        if self._stagnation is not None:
            self._stagnation.add(f[fresh], feasible)
        if self._exhausted():
            self.stop_reason = "exhausted"
        elif len(self) < self._budget and (self._idle >= _PATIENCE or self._stagnated()):
            self.stop_reason = "stagnated"
        return new

    def new_rows(self, genomes: IntArray) -> list[int]:
        """Return the rows of canonical genomes ``(n, n_var)`` not evaluated yet, each network once."""
        rows: dict[str, int] = {}
        for row, text in enumerate(map(genome_text, genomes)):
            if text not in self._seen and text not in self._known:
                rows.setdefault(text, row)
        return list(rows.values())

    def _asked(self) -> Population:
        # MOEA/D and some others of pymoo's ask for one individual at a time.
        if isinstance(self._infills, Individual):
            return Population.create(self._infills)
        return Population.empty() if self._infills is None else self._infills

    def _stagnated(self) -> bool:
        return self._stagnation is not None and self._stagnation.stagnated()

    def _exhausted(self) -> bool:
        if self._left is None:
            return len(self) + len(self._known) == self._problem.space.n_distinct
        return not self._left

    def _within_budget(self, genomes: IntArray) -> int:
        """Return how many rows can be evaluated before a new one would exceed the budget."""
        new: set[str] = set()
        for row, text in enumerate(map(genome_text, genomes)):
            if text not in self._seen and text not in self._known and text not in new:
                if len(self) + len(new) == self._budget:
                    return row
                new.add(text)
        return len(genomes)
