// What a page does beyond showing: hover texts, the filter, the chosen architecture. No network.
"use strict";
(() => {
  const element = document.getElementById("evaluations");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const place = new Map(data.ids.map((id, row) => [id, row]));
  const kinds = { f: "front", e: "evaluation", i: "infeasible" };
  const safe = (text) =>
    text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
  const number = (value) => {
    if (value === null) return "none";
    if (Number.isInteger(value) || Math.abs(value) >= 1e4) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(4)));
  };
  const text = (row) =>
    Array.from(data.texts[row], (character) => {
      const code = character.codePointAt(0);
      return data.words[code - 0x100 - (code >= 0xe000 ? 0x800 : 0)];
    }).join("");
  const choice = (gene, row) => {
    const chosen = data.chosen[gene][row];
    return data.genes[gene].choices[typeof chosen === "string" ? data.digits.indexOf(chosen) : chosen];
  };
  const folded = (line, width = 44) => {
    const lines = [""];
    for (const word of line.split(" ").flatMap((w) => w.match(new RegExp(`.{1,${width}}`, "g")) || [])) {
      const last = lines[lines.length - 1];
      if (last && last.length + word.length + 1 > width) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines.map(safe).join("<br>");
  };
  const values = (row) =>
    data.metrics.map((m, i) => `${safe(m.name)} ${number(data.values[i][row])} ${safe(m.unit)}`.trim());
  const told = new Map();
  const hover = (id) => {
    if (!told.has(id)) told.set(id, hoverOf(id));
    return told.get(id);
  };
  const hoverOf = (id) => {
    const row = place.get(id);
    const title = `<b>${kinds[data.kinds[row]]}, evaluation ${id}</b>`;
    return [title, ...values(row), folded(text(row))].join("<br>");
  };

  // Plots: points carry the numbers of their evaluations; where they are, what they say and which are shown
  // is made here, from the one table of the page.
  const plots = [];
  for (const plot of document.querySelectorAll(".plotly-graph-div")) {
    const traces = [];
    (plot.data || []).forEach((trace, index) => {
      if (!trace.customdata) return;
      const ids = Array.from(trace.customdata);
      const column = (name) => {
        const at = data.metrics.findIndex((m) => m.name === name);
        return at < 0 ? ids : ids.map((id) => data.values[at][place.get(id)]);
      };
      const [x, y] = [column(trace.meta.x), column(trace.meta.y)];
      traces.push({ index, ids, x, y });
    });
    if (!traces.length) continue;
    // What autorange made of no points is no range to go back to.
    const whole = ["xaxis", "yaxis"].map((name) => plot.layout[name]).map((axis) => !axis.autorange && [...axis.range]);
    plots.push({ plot, traces, whole });
    plot.on("plotly_click", (event) => {
      const id = event.points[0].customdata;
      if (id !== undefined) choose(id);
    });
  }
  const everything = () => true;
  const marked = () => document.querySelectorAll("[data-row]");
  const around = (numbers) => {
    const low = Math.min(...numbers);
    const high = Math.max(...numbers);
    const margin = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
    return [low - margin, high + margin];
  };
  // More points of a kind than this take seconds to draw, and cover each other.
  const most = 1500;
  const evenly = (all) =>
    all.length <= most
      ? all
      : Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]);
  const draw = (passes) => {
    for (const { plot, traces, whole } of plots) {
      const kept = traces.map((t) => evenly(t.ids.map((id, i) => (passes(id) ? i : -1)).filter((i) => i >= 0)));
      const pick = (name) => traces.map((t, k) => kept[k].map((i) => t[name][i]));
      const [x, y, ids] = [pick("x"), pick("y"), pick("ids")];
      // What passes a filter fills the picture; without one the picture is as it was.
      const some = passes !== everything && x.some((column) => column.length);
      const ranges = some ? [around(x.flat()), around(y.flat())] : whole;
      const axes = {};
      ["xaxis", "yaxis"].forEach((axis, i) => {
        axes[ranges[i] ? `${axis}.range` : `${axis}.autorange`] = ranges[i] || true;
      });
      Plotly.update(
        plot,
        { x, y, customdata: ids, hovertext: ids.map((some) => some.map(hover)) },
        axes,
        traces.map((t) => t.index),
      );
    }
    for (const one of marked()) one.classList.toggle("out", !passes(Number(one.dataset.row)));
  };

  // The chosen architecture, below the plots.
  const preview = document.querySelector(".preview");
  const choose = (id) => {
    const row = place.get(id);
    for (const one of marked()) one.classList.toggle("chosen", Number(one.dataset.row) === id);
    if (!preview) return;
    const drawing = document.querySelector(`tr[data-row="${id}"] svg`);
    const genes = data.genes.map((gene, i) => `${safe(gene.name)}=${safe(choice(i, row))}`).join(", ");
    preview.innerHTML =
      `<p><b>Evaluation ${id}</b> (${kinds[data.kinds[row]]}): ${values(row).join(", ")}</p>` +
      `<div class="scroll">${drawing ? drawing.outerHTML : ""}</div>` +
      `<p><code>${safe(text(row))}</code></p><p><code>${genes}</code></p>`;
  };

  const form = document.querySelector("form.filter");
  if (!form) return draw(everything);
  const output = form.querySelector("output");
  const names = new Map(data.genes.map((gene, i) => [gene.name.toLowerCase(), i]));
  const lines = data.ids.map((_, row) => text(row).toLowerCase());
  const has = (word, row) => {
    const [name, wanted] = word.split("=");
    if (wanted !== undefined && names.has(name)) return choice(names.get(name), row).toLowerCase() === wanted;
    return lines[row].includes(word);
  };
  const test = () => {
    const ranges = Array.from(form.querySelectorAll("input[data-metric]"))
      .filter((input) => input.value !== "" && Number.isFinite(Number(input.value)))
      .map((input) => ({
        column: data.values[data.metrics.findIndex((m) => m.name === input.dataset.metric)],
        sign: input.dataset.end === "low" ? 1 : -1,
        end: Number(input.value),
      }));
    const words = form.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!ranges.length && !words.length) return everything;
    return (id) => {
      const row = place.get(id);
      return (
        row !== undefined &&
        ranges.every((r) => r.column[row] !== null && r.sign * (r.column[row] - r.end) >= 0) &&
        words.every((word) => has(word, row))
      );
    };
  };
  const count = (passes) => {
    const isFront = (_, row) => data.kinds[row] === "f";
    const front = data.ids.filter(isFront);
    const shown = (ids) => ids.filter(passes).length;
    const n = shown(data.ids);
    const others = n - shown(front);
    const drawn = others > most ? ` Of the others the plots draw ${most.toLocaleString("en")}, evenly.` : "";
    output.textContent =
      `${n.toLocaleString("en")} of ${data.ids.length.toLocaleString("en")} evaluations pass, ` +
      `${shown(front)} of ${front.length} of the front.${drawn}`;
  };
  const update = () => {
    const passes = test();
    draw(passes);
    count(passes);
  };
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(update, 150);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update, 0));
  update();
})();
