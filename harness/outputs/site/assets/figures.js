"use strict";
// The pictures. Each takes rows of the view and returns an SVG; colours follow the page, names are text, never markup.
const Figures = (() => {
  const known = (value) => value !== null && value !== undefined;
  const score = (value) => known(value) ? (100 * value).toFixed(2) : "–";
  const compact = d3.format(".3s");
  const short = (row) => row.label.slice(row.label.indexOf("/") + 1);

  // Names beside points, from the best down; one that would lie on another is left out (the tip still tells it).
  function names(points, x, y, left = () => false) {
    const height = 0.04 * (d3.max(points, (row) => row[y]) - d3.min(points, (row) => row[y])) + 0.012;
    const kept = [];
    for (const point of [...points].sort((a, b) => b[y] - a[y])) {
      if (kept.every((other) => other[y] - point[y] > height)) kept.push(point);
    }
    const side = (chosen, textAnchor, dx) => Plot.text(chosen, { x, y, text: short, textAnchor, dx, dy: -8, fill: "currentColor",
      stroke: "var(--page)", strokeWidth: 4, fontSize: 12 });
    return [side(kept.filter((point) => !left(point)), "end", -8), side(kept.filter(left), "start", 8)];
  }

  // From the cheapest: a model is on the front if nothing as cheap is as good.
  function front(points, cheaper) {
    const ordered = [...points].sort((a, b) => cheaper(a, b) || b.mean - a.mean);
    const found = [];
    for (const point of ordered) if (!found.length || point.mean > found[found.length - 1].mean) found.push(point);
    return found;
  }

  function pareto(rows, cost, width) {
    const points = rows.filter((row) => known(row.mean) && known(row[cost]));
    if (points.length < 2) return note(`fewer than two models tell their ${cost === "speed" ? "speed" : "size"}`);
    const best = front(points, cost === "speed" ? (a, b) => b.speed - a.speed : (a, b) => a.parameters - b.parameters);
    const on = new Set(best);
    const [least, most] = d3.extent(points, (row) => Math.log(row[cost]));
    const left = (row) => (Math.log(row[cost]) - least < (most - least) / 2) !== (cost === "speed");
    return Plot.plot({
      ariaLabel: "Quality and cost", width, height: Math.max(300, Math.min(520, width)), marginLeft: 45, marginRight: 20, grid: true, inset: 12,
      x: { type: "log", label: cost === "speed" ? "tokens per second" : "parameters", tickFormat: (value) => d3.format("~s")(value).replace("G", "B"), reverse: cost === "speed" },
      y: { label: "Mean (Task)", transform: (value) => 100 * value },
      marks: [
        Plot.line(best, { x: cost, y: "mean", stroke: "currentColor", strokeOpacity: .5, curve: "step-after" }),
        Plot.dot(points, { x: cost, y: "mean", r: (row) => on.has(row) ? 5 : 3, fill: (row) => on.has(row) ? "#d1495b" : "#5b8fd6",
          className: "points" }),
        names(best, cost, "mean", left),
        Plot.tip(points, Plot.pointer({ x: cost, y: "mean", title: (row) => `${row.label}\n${compact(row[cost])}\n${score(row.mean)}` })),
      ],
    });
  }

  // Room for names at the left, and names that fit it: on a narrow screen they are cut off (the tip tells the whole).
  const margin = (width) => Math.min(290, Math.round(.4 * width));
  const fitted = (width) => (label) => {
    const most = Math.floor(margin(width) / 6.4);
    const name = label.length <= most ? label : short({ label });
    return name.length <= most ? name : `${name.slice(0, most - 1)}…`;
  };

  function intervals(rows, width) {
    const points = rows.filter((row) => known(row.low)).slice(0, 40);
    if (!points.length) return note("no complete model with an interval in this view");
    return Plot.plot({
      ariaLabel: "Intervals", width, height: 60 + 18 * points.length, marginLeft: margin(width), grid: true,
      x: { label: "Mean (Task)", transform: (value) => 100 * value }, y: { domain: points.map((row) => row.label), label: null, tickFormat: fitted(width) },
      color: { type: "categorical", scheme: "Observable10", domain: [...new Set(points.map((row) => row.group))] },
      marks: [
        Plot.ruleY(points, { y: "label", x1: "low", x2: "high", stroke: "group", strokeWidth: 3 }),
        Plot.dot(points, { y: "label", x: "mean", fill: "currentColor", r: 3.5 }),
        Plot.tip(points, Plot.pointerY({ y: "label", x: "mean",
          title: (row) => `${row.label}\n${score(row.mean)} (${score(row.low)} to ${score(row.high)})\ntie group ${row.group}` })),
      ],
    });
  }

  function history(rows, width) {
    const points = rows.filter((row) => known(row.mean) && known(row.date)).map((row) => ({ ...row, when: new Date(row.date) }));
    if (points.length < 2) return note("fewer than two complete models tell a date");
    const best = [];
    for (const point of [...points].sort((a, b) => a.when - b.when)) {
      if (!best.length || point.mean > best[best.length - 1].mean) best.push(point);
    }
    const last = d3.max(points, (row) => row.when);
    const line = [...best, { ...best[best.length - 1], when: last }];
    return Plot.plot({
      ariaLabel: "Over time", width, height: 420, marginLeft: 50, marginRight: 20, grid: true, inset: 12,
      x: { type: "utc", label: null }, y: { label: "Mean (Task)", transform: (value) => 100 * value },
      marks: [
        Plot.line(line, { x: "when", y: "mean", curve: "step-after", stroke: "#d1495b" }),
        Plot.dot(points, { x: "when", y: "mean", r: 3, fill: "#5b8fd6" }),
        names(best, "when", "mean"),
        Plot.tip(points, Plot.pointer({ x: "when", y: "mean", title: (row) => `${row.label}\n${row.date}\n${score(row.mean)}` })),
      ],
    });
  }

  function heat(rows, tasks, width) {
    const shown = rows.slice(0, 40);
    const cells = [];
    for (const task of tasks) {
      const scores = shown.map((row) => row.scores[task.number]).filter(known).sort(d3.ascending);
      for (const row of shown) {
        const score = row.scores[task.number];
        if (!known(score)) continue;
        const place = scores.length > 1 ? d3.bisectLeft(scores, score) / (scores.length - 1) : 1;
        cells.push({ model: row.label, task: task.name, score, place });
      }
    }
    if (!cells.length) return note("no scores in this view");
    const dark = document.documentElement.dataset.theme === "dark";
    return Plot.plot({
      ariaLabel: "Models and tasks", width: Math.max(Math.min(width, 400 + 60 * tasks.length), 30 + margin(width) + 18 * tasks.length), height: 190 + 18 * shown.length,
      marginLeft: margin(width), marginBottom: 180,
      x: { domain: tasks.map((task) => task.name), tickRotate: -60, label: null }, y: { domain: shown.map((row) => row.label), label: null, tickFormat: fitted(width) },
      color: { scheme: "YlGnBu", domain: [0, 1], reverse: dark, label: "place: worst to best of the view", legend: true },
      marks: [
        Plot.cell(cells, { x: "task", y: "model", fill: "place", inset: .5 }),
        Plot.tip(cells, Plot.pointer({ x: "task", y: "model", title: (cell) => `${cell.model}\n${cell.task}\n${score(cell.score)}` })),
      ],
    });
  }

  function distribution(rows, number, width) {
    const points = rows.filter((row) => known(row.scores[number])).map((row) => ({ label: row.label, score: row.scores[number] }));
    return Plot.plot({
      ariaLabel: "Distribution of scores", width, height: 240, x: { label: "score", nice: true }, y: { label: "models", grid: true },
      marks: [
        Plot.rectY(points, Plot.binX({ y: "count" }, { x: "score", fill: "#5b8fd6" })),
        Plot.tickX(points, { x: "score", stroke: "currentColor", strokeOpacity: .4 }),
        Plot.tip(points, Plot.pointerX({ x: "score", title: (point) => `${point.label}\n${score(point.score)}` })),
        Plot.ruleY([0]),
      ],
    });
  }

  function note(text) {
    const element = document.createElement("p");
    element.textContent = `Nothing to draw: ${text}.`;
    return element;
  }

  function past(points, width) {
    return Plot.plot({
      ariaLabel: "History", width: Math.min(width, 720), height: 260, marginLeft: 50, grid: true, inset: 12,
      x: { type: "utc", label: null }, y: { label: "mean over the tasks that all have" },
      marks: [
        Plot.lineY(points, { x: "when", y: "mean", stroke: "#5b8fd6" }),
        Plot.dot(points, { x: "when", y: "mean", fill: "#5b8fd6" }),
        Plot.tip(points, Plot.pointer({ x: "when", y: "mean", title: (point) => `${point.revision}\n${score(point.mean)}` })),
      ],
    });
  }

  // Draw into the figure `id` at the width that it has.
  function put(id, draw) {
    const place = document.querySelector(`#${id} .plot`);
    const picture = draw(Math.max(260, place.clientWidth));
    place.replaceChildren(picture);
    for (const svg of place.querySelectorAll("svg")) { // one image for a screen reader; its groups have no role that may be named
      svg.setAttribute("role", "img");
      if (!svg.hasAttribute("aria-label")) svg.setAttribute("aria-label", "Legend");
      for (const group of svg.querySelectorAll("g[aria-label]")) {
        group.dataset.mark = group.getAttribute("aria-label");
        group.removeAttribute("aria-label");
      }
    }
    place.tabIndex = 0; // it may be wider than its place: the keyboard scrolls it
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", picture.getAttribute("aria-label") || "Picture");
  }

  return { short, pareto, intervals, history, heat, distribution, past, put };
})();
