"""The part of a page that says what was run, from a run's record."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from moo_nas.analysis.error_cards import HOW, error_cards, figures
from moo_nas.analysis.page import Html, facts, note, section, table, text, words
from moo_nas.analysis.style import seconds

_STOPS = {
    "budget": "the budget was spent",
    "exhausted": "nothing new was left to evaluate",
    "stagnated": "the front had stopped growing, or nothing new was proposed any more",
    "time": "its time was over",
    "infeasible": "nothing feasible was found until the search ended",
    "interrupted": "it was interrupted; started again with the same folder, it goes on from there",
    "refused": "it could not run",
}
_OPEN = "left to the reference sample"


def stop_words(reason: object) -> str:
    """Return why a run ended, in words."""
    return "it is still running, or was killed" if reason is None else _STOPS.get(str(reason), str(reason))


def run_section(record: Mapping[str, Any]) -> Html:
    """Return what was run: problem, algorithm, budget, times, machine, versions."""
    problem, algorithm = dict(record.get("problem", {})), dict(record.get("algorithm", {}))
    name, kind = problem.pop("name", ""), str(algorithm.pop("class", "")).rpartition(".")[2]
    times = [
        f"{seconds(record[key])} {what}"
        for key, what in (("wall_seconds", "on the clock"), ("cpu_seconds", "of computing"))
        if key in record
    ]
    known = {
        "problem": _titled(name, problem),
        "algorithm": _titled(kind, algorithm),
        "budget": words(record.get("budget"), ""),
        "evaluated": _evaluated(record),
        "seed": words(record.get("seed", record.get("seeds")), ""),
        "end": stop_words(record["stop_reason"]) if "stop_reason" in record else "",
        "time": ", ".join(times),
        "energy": energy_words(record.get("energy") or {}),
        "machine": words(record.get("machine"), ""),
        "versions": words(record.get("versions"), ""),
        "written": words(record.get("written"), ""),
        "again": Html(f"<code>{text(record['command'])}</code>") if record.get("command") else "",
    }
    about = [*_formulation(record), *_setup(record), *_doubts(record)]
    return section("What was run", facts(known), *about)


def trust_section(record: Mapping[str, Any], proxies: pd.DataFrame | None = None) -> Html:
    """Return how far what was searched on can be trusted: predictors' error cards, proxies' repeatability.

    Args:
        record: The run's.
        proxies: What ``moo-nas proxies`` found on the problem, if it was asked.
    """
    parts: list[object] = [*cards_table(record)]
    meters = [str(meter.get("meter")) for meter in (record.get("measurement") or {}).get("meters", [])]
    if proxies is not None and len(proxies):
        rows = [
            [
                str(row["proxy"]),
                f"{row['repeatability']:.2f} ({row['low']:.2f} to {row['high']:.2f})",
                "never" if math.isinf(row["seeds_for_0.9"]) else f"{row['seeds_for_0.9']:.0f}",
                int(row["n"]),
            ]
            for row in proxies.to_dict("records")
        ]
        headings = ["proxy", "repeatability (95 % interval)", "seeds for 0.9", "networks"]
        parts += [
            Html("<h3>How proxies repeat</h3>"),
            "Spearman's rank correlation of a score with itself under another draw of the weights. What does "
            "not repeat ranks networks by chance.",
            table(headings, rows, "The proxies' repeatability"),
        ]
    elif "ZeroCost" in meters:
        name = (record.get("problem") or {}).get("name", "PROBLEM")
        parts += [
            Html("<h3>How proxies repeat</h3>"),
            Html(
                "<p>Not measured for this run. To have it here: "
                f"<code>moo-nas proxies {text(name)} --out RUN/proxies.csv</code>, then "
                "<code>moo-nas report RUN</code>, RUN being this folder.</p>"
            ),
        ]
    return section("How far to trust it", *parts) if parts else Html()


def failures_section(evaluations: pd.DataFrame) -> Html:
    """Return what could not be measured, by reason, most frequent first; nothing if all could."""
    failed = (
        evaluations[evaluations["status"] == "failed"] if "status" in evaluations else evaluations.iloc[:0]
    )
    if failed.empty:
        return Html()
    groups = failed.assign(reason=failed["reason"].fillna("no reason given")).groupby("reason")
    rows = [
        (len(group), str(reason), Html(f"<code>{text(group['architecture'].iloc[0])}</code>"))
        for reason, group in sorted(groups, key=lambda item: -len(item[1]))
    ]
    return section(
        "What could not be measured",
        f"{len(failed)} of {len(evaluations)} architectures failed; they are no part of the front.",
        table(["architectures", "reason", "for example"], rows, "Failures by reason"),
    )


def cards_table(record: Mapping[str, Any]) -> list[Html]:
    """Return what each predictor is worth as a table, with a heading; nothing if nothing is predicted."""
    cards = error_cards(record)
    if not cards:
        return []
    known = [figures(card.card) for card in cards]
    shown = list(dict.fromkeys(heading for row in known for heading in row))
    rows = [
        [card.metric, card.predictor, f"{card.n} {card.how}", *(row.get(heading, "") for heading in shown)]
        for card, row in zip(cards, known, strict=True)
    ]
    return [
        Html("<h3>What predictions are worth</h3>"),
        Html("<p>Predicted beside measured, on networks that the prediction had not seen.</p>"),
        table(["metric", "predictor", "networks", *shown], rows, "The predictors' error cards"),
    ]


def _titled(name: object, options: Mapping[str, Any]) -> str:
    return f"{name}: {words(options)}" if name and options else str(name)


def _evaluated(record: Mapping[str, Any]) -> str:
    if "n_evaluations" not in record:
        return ""
    failed = f", {record['n_failed']} of them failed" if record.get("n_failed") else ""
    return f"{record['n_evaluations']} architectures{failed}"


def energy_words(energy: Mapping[str, Any]) -> str:
    """Return what a search itself took, or several together, and what of it is not known, in words.

    Example:
        >>> energy_words({"kwh": "unknown", "reason": "nothing was read"})
        'unknown: nothing was read; CO2-equivalent unknown'
        >>> known = {"kwh": 0.002, "co2e_g": 1.0, "grid_g_per_kwh": 500, "counters": ["RAPL"], "seconds": 60}
        >>> energy_words({**known, "missing": ["GPU 0"], "reason": "GPU 0: too old", "not_finished": 1})
        'at least 2 Wh, 1 g CO2-equivalent at 500 g/kWh, by RAPL over 1 min 0 s; not counted: GPU 0: too old;
        1 sitting is not finished, or was killed: what it took after its last reading is not counted'
    """
    if not energy:
        return ""
    lacks = []
    if energy.get("not_finished"):
        n = energy["not_finished"]
        one = "1 sitting is not finished, or was killed: what it took after its last reading is not counted"
        more = (
            f"{n} sittings are not finished, or were killed: what they took after their last reading is not"
        )
        lacks.append(one if n == 1 else f"{more} counted")
    if energy.get("unknown_runs"):
        lacks.append(f"of {energy['unknown_runs']} of {energy['runs']} runs it is unknown")
    if not isinstance(energy.get("kwh"), int | float):
        return f"unknown: {energy.get('reason', 'not read')}; CO2-equivalent unknown"
    if energy.get("uncounted_seconds"):
        lacks.append(f"sittings of {seconds(energy['uncounted_seconds'])} had no counter")
    if energy.get("reason"):
        lacks.insert(0, f"not counted: {energy['reason']}")
    known = (
        f"{1e3 * energy['kwh']:.3g} Wh, {energy['co2e_g']:.3g} g CO2-equivalent at "
        f"{words(energy['grid_g_per_kwh'])} g/kWh, by {words(energy.get('counters'))} over "
        f"{seconds(energy.get('seconds', 0.0))}"
    )
    return "; ".join([f"at least {known}" if lacks else known, *lacks])


def doubts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is doubtful of what was measured, and why.

    Example:
        >>> doubts({"timings": {"faults": ["2 networks: the machine was busy"]}})
        [('Timings', '2 networks: the machine was busy')]
    """
    return [
        (what, fault)
        for key, what in (("timings", "Timings"), ("energies", "Energies"))
        for fault in (record.get(key) or {}).get("faults", [])
    ]


def _doubts(record: Mapping[str, Any]) -> list[Html]:
    """Return one note for timings and one for energies, with all that is doubtful of them."""
    by: dict[str, list[str]] = {}
    for what, fault in doubts(record):
        by.setdefault(what, []).append(fault)
    return [
        note(f"{what} are doubtful. {faults[0]}.")
        if len(faults) == 1
        else Html(
            f'<div class="note">{text(what)} are doubtful:<ul>'
            f"{''.join(f'<li>{text(fault)}</li>' for fault in faults)}</ul></div>"
        )
        for what, faults in by.items()
    ]


def _formulation(record: Mapping[str, Any]) -> list[Html]:
    """Return the formulation as asked and as fitted, and what it had to leave out."""
    used, asked = record.get("formulation") or {}, record.get("asked_formulation") or {}
    if not used:
        return []
    rows = [
        (name, words(asked.get(name), _OPEN), words(value))
        for name, value in used.items()
        if name != "left_out"
    ]
    parts = [
        Html("<h3>What was asked</h3>"),
        table(["", "asked", "used"], rows, "The formulation as asked and as used"),
    ]
    if used.get("left_out"):
        parts.append(note(f"Left out: {words(used['left_out'])}. The problem has no meter for it."))
    return parts


def _setup(record: Mapping[str, Any]) -> list[Html]:
    """Return what was prepared before the search, how long it took, and what predictors are worth."""
    setup: Mapping[str, Any] = record.get("setup") or {}
    if not setup:
        return []
    rows = []
    for name, value in setup.items():
        rest = {k: v for k, v in value.items() if k not in (*HOW, "seconds") and v != ""}
        rest = {k: v for k, v in rest.items() if not (isinstance(v, list) and v and isinstance(v[0], list))}
        took = seconds(float(value.get("seconds", 0.0))).replace(" ", "\N{NO-BREAK SPACE}")
        rows.append((name.partition("/")[0], took, value.get("sentence") or (words(rest) if rest else "")))
    total = seconds(sum(float(value.get("seconds", 0.0)) for value in setup.values()))
    return [
        Html("<h3>Set-up</h3>"),
        Html(f"<p>Made once, in {total}; not counted in the budget.</p>"),
        table(["what", "took", "what came of it"], rows, "What the search was set up with"),
    ]
