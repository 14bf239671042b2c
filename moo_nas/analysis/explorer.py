"""What lets a reader look through a run: the evaluations as data of the page, and a form to filter them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moo_nas.analysis.page import Html, text
from moo_nas.analysis.style import number, short_name
from moo_nas.analysis.tables import choices_of, feasible_rows
from moo_nas.meters import Metric

# More points than this nobody tells apart, and a page of them gets slow.
MOST = 5000
_AFTER = re.compile(r"(?<=[ |])")  # where one word of an architecture ends and the next begins
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def thinned(evaluations: pd.DataFrame, front: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """Return at most so many evaluations evenly over the run, and all that failed or are of the front.

    Failures are kept out of the count, as nothing is drawn for them.
    """
    failed = (
        evaluations["status"] == "failed" if "status" in evaluations else pd.Series(False, evaluations.index)
    )
    shown = evaluations[~failed]
    if len(shown) <= most:
        return shown
    even = shown.index[np.linspace(0, len(shown) - 1, most).round().astype(int)]
    return shown[shown.index.isin(even) | shown.index.isin(front.index)]


def data_script(
    rows: pd.DataFrame, front: pd.DataFrame, metrics: Sequence[Metric], genes: Sequence[str]
) -> Html:
    """Return evaluations as JSON in the page: what is hovered and filtered, each value once.

    Texts are told by the words that they share, one character for each.
    """
    shown = [metric for metric in metrics if metric.name in rows]
    words: dict[str, int] = {}
    texts = [
        "".join(_character(words.setdefault(word, len(words))) for word in _AFTER.split(str(line)))
        for line in rows.get("architecture", pd.Series("", rows.index))
    ]
    kinds = np.where(rows.index.isin(front.index), "f", np.where(feasible_rows(rows), "e", "i"))
    told: dict[str, Any] = {
        "ids": [int(i) for i in rows.index],
        "kinds": "".join(kinds.tolist()),
        "metrics": [{"name": m.name, "unit": "" if m.unit == "1" else m.unit} for m in shown],
        "values": [[_short(value) for value in rows[m.name].to_numpy(dtype=np.float64)] for m in shown],
        **_genes(rows, genes),
        "words": list(words),
        "texts": texts,
    }
    body = json.dumps(told, separators=(",", ":"), allow_nan=False, ensure_ascii=False).replace(
        "<", "\\u003c"
    )
    return Html(f'<script type="application/json" id="evaluations">{body}</script>')


def filter_form(rows: pd.DataFrame, metrics: Sequence[Metric], genes: Sequence[str]) -> Html:
    """Return the form that says which evaluations to show: ranges of metrics, words of architectures."""
    fields = []
    for metric in metrics:
        values = rows[metric.name].to_numpy(dtype=np.float64) if metric.name in rows else np.empty(0)
        values = values[np.isfinite(values)]
        if len(values) == 0:
            continue
        unit = "" if metric.unit in ("", "1") else f" ({metric.unit})"
        ends = [
            f'<input type="number" step="any" inputmode="decimal" data-metric="{text(metric.name)}" '
            f'data-end="{end}" aria-label="{text(metric.name)}, {label}" placeholder="{number(value)}">'
            for end, label, value in (("low", "at least", values.min()), ("high", "at most", values.max()))
        ]
        fields.append(f"<span><b>{text(short_name(metric))}{text(unit)}</b> {ends[0]} to {ends[1]}</span>")
    if not fields:
        return Html()
    options = "".join(
        f'<option value="{text(f"{gene}={choice}")}"></option>'
        for gene in genes
        if gene in rows
        for choice in choices_of(rows[gene])
    )
    example = f"{genes[0]}={choices_of(rows[genes[0]])[0]}" if len(genes) and len(rows) else "k7"
    return Html(
        '<form class="filter" role="search" aria-label="Filter the evaluations">'
        f"{''.join(fields)}"
        '<span class="wide"><label for="filter-words"><b>architecture has</b></label> '
        '<input id="filter-words" type="search" list="filter-genes" autocomplete="off" '
        f'placeholder="words, or {text(example)}"></span>'
        f'<datalist id="filter-genes">{options}</datalist>'
        '<button type="reset">Show all</button> <output aria-live="polite"></output></form>'
    )


def _genes(rows: pd.DataFrame, genes: Sequence[str]) -> Mapping[str, Any]:
    """Return each gene's choices, and each row's as one character or number."""
    told, chosen = [], []
    for gene in genes:
        if gene not in rows:
            continue
        choices = choices_of(rows[gene])
        place = {choice: i for i, choice in enumerate(choices)}
        indices = [place[str(choice)] for choice in rows[gene]]
        told.append({"name": gene, "choices": choices})
        short = len(choices) <= len(_DIGITS)
        chosen.append("".join(_DIGITS[i] for i in indices) if short else indices)
    return {"digits": _DIGITS, "genes": told, "chosen": chosen}


def _character(number_: int) -> str:
    """Return a word's character: from U+0100 on, past the surrogates, which are none."""
    return chr(0x100 + number_ + (0x800 if 0x100 + number_ >= 0xD800 else 0))


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
