"""What several runs found, judged alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.indicators import Box, nondominated
from moo_nas.arrays import FloatArray, IntArray
from moo_nas.formulations import Formulation
from moo_nas.meters import Metric
from moo_nas.study.run import Run


class Comparison:
    """What a comparison found.

    Every run is judged by all it evaluated, in the objectives of one formulation, whatever it was
    itself asked for.

    Args:
        runs: Each run by (method, seed).
        refused: Why a method could not run, by method.
        judge: The formulation whose objectives they are judged in.
        folder: Where its files are, if anywhere.
    """

    def __init__(
        self,
        runs: Mapping[tuple[str, int], Run],
        refused: Mapping[str, str],
        judge: Formulation,
        folder: Path | None = None,
    ) -> None:
        self.runs = dict(runs)
        self.refused = dict(refused)
        self.judge = judge
        self.folder = folder
        self._judged = {key: self._valid(run) for key, run in self.runs.items()}
        everything = [f for f, _ in self._judged.values() if len(f)]
        self.box = Box.around(np.concatenate(everything)) if everything else None
        self.curves = self._curves()
        self.table = self._table()
        self.fronts = self._fronts()

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the judge, by name."""
        tables = [run.table for run in self.runs.values()]
        return {name: tables[0].metric(name) for name in self.judge.metrics}

    def _valid(self, run: Run) -> tuple[FloatArray, IntArray]:
        """Return the judged objectives of a run's valid evaluations, and when each was evaluated."""
        table = run.table.select(self.judge.metrics)
        f, g = self.judge.apply(table)
        valid = np.flatnonzero(~table.failed & (g <= 0).all(axis=1))
        return f[valid], valid

    def _curves(self) -> pd.DataFrame:
        rows = []
        for (method, seed), (f, when) in self._judged.items():
            front, volume = np.empty((0, self.judge.n_obj)), 0.0
            position = dict(zip(when.tolist(), f, strict=True))
            for evaluation in range(len(self.runs[method, seed].table)):
                if evaluation in position and self.box is not None:
                    larger = np.vstack([front, position[evaluation]])
                    kept = nondominated(larger)
                    if kept[-1]:
                        front = larger[kept]
                        volume = self.box.hypervolume(front)
                rows.append((method, seed, evaluation + 1, volume))
        return pd.DataFrame(rows, columns=["method", "seed", "evaluation", "hypervolume"])

    def _table(self) -> pd.DataFrame:
        rows: list[dict[str, Any]] = []
        for (method, seed), run in self.runs.items():
            f, _ = self._judged[method, seed]
            curve = self.curves.loc[
                (self.curves["method"] == method) & (self.curves["seed"] == seed), "hypervolume"
            ]
            best = {f"best_{name}": np.nan for name in self.judge.metrics}
            valid = run.table.select(self.judge.metrics)
            valid = valid.rows(~valid.failed)
            for name in self.judge.metrics if len(valid) else ():
                goal = min if valid.metric(name).goal == "min" else max
                best[f"best_{name}"] = goal(valid[name])
            rows.append(
                {
                    "method": method,
                    "seed": seed,
                    "evaluations": len(run.table),
                    "failed": int(run.table.failed.sum()),
                    "hypervolume": curve.iloc[-1] if len(curve) else 0.0,
                    "front_size": int(nondominated(f).sum()),
                    **best,
                    "stop_reason": run.stop_reason,
                    "reason": None,
                }
            )
        rows += [
            {"method": method, "stop_reason": "refused", "reason": reason}
            for method, reason in self.refused.items()
        ]
        return pd.DataFrame(rows)

    def _fronts(self) -> pd.DataFrame:
        """Return each run's non-dominated rows in the judged metrics."""
        frames = []
        for (method, seed), run in self.runs.items():
            f, when = self._judged[method, seed]
            best = when[nondominated(f)]
            rows = run.table.rows(best)
            frame = pd.DataFrame({name: rows[name] for name in self.judge.metrics})
            frame.insert(0, "method", method)
            frame.insert(1, "seed", seed)
            frame["architecture"] = [str(run.space.decode(genome)) for genome in rows.genomes]
            if run.outside is not None:
                frame["outside"] = [run.outside[row] for row in best]
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
