"use strict";
// A model's or a task's page: its table, picture and card block, from the same data as the board. All names are text.
(() => {
  const known = (value) => value !== null && value !== undefined;
  const main = document.querySelector("[data-model], [data-task]");
  const { model, task } = main.dataset;
  const score = (value) => known(value) ? (100 * value).toFixed(2) : "–";

  function line(...cells) {
    const row = document.createElement("tr");
    cells.forEach(({ text, href, head, span }) => {
      const cell = document.createElement(head ? "th" : "td");
      if (head) cell.scope = "row";
      if (span) cell.colSpan = span;
      const inner = href ? document.createElement("a") : cell;
      inner.textContent = text;
      if (href) { inner.href = `../${href}`; cell.append(inner); }
      row.append(cell);
    });
    return row;
  }

  // A column for intervals, where the items of any score are known.
  const withSpans = BOARD.models.some((row) => Object.keys(row.spans).length > 0);
  const span = (row, number) => withSpans ? [{ text: row.spans[number] ? row.spans[number].map(score).join(" to ") : "–" }] : [];
  const scoresOf = (number) => BOARD.models.map((row) => row.scores[number]).filter(known);
  const place = (value, all) => `${all.filter((other) => other > value).length + 1} of ${all.length}`;
  const reason = (row, number) => BOARD.reasons[row.gaps[number]];

  function fill(rows) {
    document.querySelector("#scores tbody").replaceChildren(...rows);
  }

  if (known(model)) {
    const row = BOARD.models[Number(model)];
    fill(BOARD.tasks.map((entry, number) => {
      const value = row.scores[number];
      const start = [{ text: entry.name, href: entry.url, head: true }, { text: entry.type }];
      return known(value) ? line(...start, { text: score(value) }, ...span(row, number), { text: place(value, scoresOf(number)) })
        : line(...start, { text: reason(row, number), span: 2 + withSpans });
    }));
    card(row);
    past();
  } else {
    const number = Number(task);
    const all = scoresOf(number);
    const having = BOARD.models.filter((row) => known(row.scores[number])).sort((a, b) => b.scores[number] - a.scores[number]);
    const lacking = BOARD.models.filter((row) => !known(row.scores[number]));
    fill([
      ...having.map((row) => line({ text: place(row.scores[number], all) }, { text: row.label, href: row.url, head: true },
        { text: score(row.scores[number]) }, ...span(row, number))),
      ...lacking.map((row) => line({ text: "–" }, { text: row.label, href: row.url, head: true }, { text: reason(row, number), span: 1 + withSpans })),
    ]);
    Figures.put("distribution", (width) => Figures.distribution(BOARD.models, number, width));
    addEventListener("themechange", () => Figures.put("distribution", (width) => Figures.distribution(BOARD.models, number, width)));
  }

  // `model-index` for the front matter of a card. JSON's strings are YAML's, so nothing in a name can break out.
  function card(row) {
    const text = JSON.stringify;
    const results = BOARD.tasks.flatMap((entry, number) => {
      const value = row.scores[number];
      if (!known(value) || !entry.dataset || !entry.metric) return [];
      const place = entry.part ? [`      config: ${text(entry.part[1])}`, `      split: ${text(entry.part[0])}`] : [];
      const revision = entry.revision ? [`      revision: ${text(entry.revision)}`] : [];
      return ["  - task:", `      type: ${text(entry.type)}`, "    dataset:", `      type: ${text(entry.dataset)}`,
        `      name: ${text(`MTEB ${entry.name}`)}`, ...place, ...revision, "    metrics:",
        `    - type: ${text(entry.metric)}`, `      value: ${Number((100 * value).toFixed(4))}`];
    });
    const section = document.getElementById("card");
    section.hidden = !results.length;
    const block = section.querySelector("pre");
    block.textContent = ["model-index:", `- name: ${text(row.label.slice(row.label.lastIndexOf("/") + 1))}`, "  results:", ...results, ""].join("\n");
    section.querySelector("button").addEventListener("click", async (event) => {
      section.querySelector("details").open = true;
      try {
        await navigator.clipboard.writeText(block.textContent);
        event.target.textContent = "Copied";
      } catch { // no clipboard on this page: select, so that one key does it
        getSelection().selectAllChildren(block);
        event.target.textContent = "Selected";
      }
    });
  }

  function past() {
    const points = [...document.querySelectorAll("#history tr[data-mean]")].map((row) => ({
      when: new Date(row.dataset.date), mean: Number(row.dataset.mean), revision: row.querySelector("th").textContent,
    })).filter((point) => !Number.isNaN(point.when.getTime()));
    if (points.length > 1) Figures.put("history", (width) => Figures.past(points, width));
  }
})();
