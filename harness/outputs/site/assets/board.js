"use strict";
// The board: a Tabulator table whose whole state (sort, filters, columns, theme) lies in the address after the `#`.
(() => {
  const known = (value) => value !== null && value !== undefined;
  const byId = (id) => document.getElementById(id);
  const compact = d3.format(".3s");
  const tasks = BOARD.tasks.map((task, number) => ({ ...task, number }));
  const languages = [...new Set(tasks.flatMap((task) => task.languages))].sort();
  const DEFAULT_SORT = "rank:asc";
  // The stops of the slider, in parameters: those that part the models of the board.
  const sizes = BOARD.models.map((model) => model.parameters).filter(known);
  const SIZES = [1e6, 3e6, 1e7, 3e7, 5e7, 1e8, 1.5e8, 2e8, 3e8, 4e8, 6e8, 1e9, 1.5e9, 2e9, 3e9, 5e9, 8e9, 1e10, 1.5e10, 3e10, 1e11]
    .filter((stop) => stop >= d3.min(sizes) && stop < d3.max(sizes));

  // --- what is shown ------------------------------------------------------------------------------------------------

  const state = { search: "", types: [], languages: [], columns: null, size: null, open: false, complete: false, common: false, sort: DEFAULT_SORT };

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const decoded = (text) => { try { return decodeURIComponent(text); } catch { return ""; } };  // a link cut off
    const list = (name, allowed) => (given.get(name) || "").split(",").map(decoded).filter((item) => allowed.includes(item));
    state.search = given.get("search") || "";
    state.types = list("types", BOARD.types);
    state.languages = list("languages", languages);
    state.columns = given.has("columns") ? list("columns", columns.map((column) => column.field)) : null;
    state.size = SIZES.includes(Number(given.get("size"))) ? Number(given.get("size")) : null;
    state.open = given.get("open") === "1";
    state.complete = given.get("complete") === "1";
    state.common = given.get("common") === "1";
    const [field, direction] = (given.get("sort") || "").split(":");
    const sortable = columns.some((column) => column.field === field) && ["asc", "desc"].includes(direction);
    state.sort = sortable ? `${field}:${direction}` : DEFAULT_SORT;
  }

  function write() {
    const said = new URLSearchParams();
    const join = (items) => items.map(encodeURIComponent).join(",");
    if (state.search) said.set("search", state.search);
    if (state.types.length) said.set("types", join(state.types));
    if (state.languages.length) said.set("languages", join(state.languages));
    if (state.columns) said.set("columns", join(state.columns));
    if (state.size) said.set("size", state.size);
    if (state.open) said.set("open", "1");
    if (state.complete) said.set("complete", "1");
    if (state.common) said.set("common", "1");
    if (state.sort !== DEFAULT_SORT) said.set("sort", state.sort);
    const theme = document.documentElement.dataset.theme;
    if (said.size || theme === "dark") said.set("theme", theme);
    history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
  }

  function matches(model) {
    const label = model.label.toLowerCase();
    return state.search.toLowerCase().split(/\s+/).every((word) => label.includes(word)) &&
      (!state.size || (known(model.parameters) && model.parameters <= state.size)) &&
      (!state.open || model.open_weights === true);
  }
  const narrowed = () => state.types.length > 0 || state.languages.length > 0 || state.common;
  function tasksOfView() {
    const models = state.common ? BOARD.models.filter(matches) : [];
    return tasks.filter((task) =>
      (!state.types.length || state.types.includes(task.type)) &&
      (!state.languages.length || task.languages.some((language) => state.languages.includes(language))) &&
      models.every((model) => known(model.scores[task.number])));
  }

  // --- columns ------------------------------------------------------------------------------------------------------

  const score = (value) => known(value) ? (100 * value).toFixed(2) : "–";
  const rounded = (value) => known(value) ? (100 * value).toFixed(1) : "–";
  const narrow = innerWidth < 700;
  const wide = (title) => Math.max(56, 16 + 6.9 * d3.max(title.split(/(?<=[a-z])(?=[A-Z])|\s/), (word) => word.length)); // px
  const number = (value) => known(value) ? String(value) : "–";
  const last = (a, b, _rowA, _rowB, _column, direction) => { // what is missing stays at the end, whichever way
    if (!known(a) || !known(b)) return (known(a) ? -1 : known(b) ? 1 : 0) * (direction === "desc" ? -1 : 1);
    return typeof a === "string" ? a.localeCompare(b) : a - b;
  };
  const column = (field, title, show, more = {}) => ({
    field, title, show, sorter: last, hozAlign: "right", headerSortStartingDir: "desc", minWidth: 80, ...more,
  });
  const columns = [
    column("rank", "Rank", number, { headerSortStartingDir: "asc", frozen: true, width: 64, minWidth: 50, meaning:
      "Borda rank, as on mteb's leaderboard: each task gives a model one point for every model of the view that it beats; the most points rank first." }),
    column("label", "Model", null, { headerSortStartingDir: "asc", hozAlign: "left", frozen: true, width: narrow ? 134 : 180 }),
    column("chosen", "Mean (chosen tasks)", rounded, { bar: true, width: narrow ? 136 : 138, meaning: "Mean of the scores on the tasks of this view." }),
    column("mean", "Mean (Task)", rounded, { bar: true, width: narrow ? 136 : 138, meaning:
      "Mean of all tasks' scores, 0 to 100; the bar starts at 0, the whisker is the 95% interval. Missing where a task has no score." }),
    column("group", "Tie", number, { headerSortStartingDir: "asc", minWidth: 48, width: 48, meaning:
      "Models with one number are statistically tied with the best of them, by the paired difference." }),
    ...BOARD.types.map((type, at) => column(`type${at}`, type, rounded, { score: true, minWidth: 50, width: wide(type), meaning: `Mean over the ${tasks.filter((task) => task.type === type).length} tasks of the type ${type}, 0 to 100.` })),
    column("parameters", "Parameters", (value) => known(value) ? compact(value).replace("G", "B") : "–", { headerSortStartingDir: "asc", meaning: "Number of weights." }),
    column("span", "95%", null, { minWidth: 140, headerSort: false, meaning: "95% interval of Mean (Task)." }),
    column("ranks", "Ranks 95%", number, { headerSort: false, meaning: "95% interval of the rank by Mean (Task) on the whole board." }),
    column("mean_type", "Mean (TaskType)", rounded, { score: true, meaning: "Mean of the means of the task types: every type counts the same." }),
    ...BOARD.groups.map((name, at) => column(`group${at}`, name, rounded, { score: true, minWidth: 110 })),
    column("zero_shot", "Zero-shot", (value) => known(value) ? `${Math.round(value * 100)}%` : "–", { meaning: "Share of the tasks that the model was not trained on, as it says." }),
    column("dimensions", "Dimensions", number, { meaning: "Numbers in the vector of a text." }),
    column("max_tokens", "Max tokens", number, { meaning: "Longer texts are cut off." }),
    column("speed", "Tokens/s", (value) => known(value) ? compact(value) : "–", { meaning: "Tokens encoded in a second, on the device named beside it." }),
    column("device", "Device", number, { hozAlign: "left" }),
    column("lacking", "Missing", number, { headerSortStartingDir: "asc", meaning: "Tasks without a score." }),
    ...tasks.map((task) => column(`task${task.number}`, task.name, rounded, { task, score: true, minWidth: 110, meaning: `Main score on ${task.name}, 0 to 100.` })),
  ];
  const has = (field) => BOARD.models.some((model) => known(model[field]));
  const optional = ["zero_shot", "parameters", "dimensions", "max_tokens", "speed", "device", "low"];

  function isShown(entry) {
    if (state.columns) return entry.frozen || state.columns.includes(entry.field);
    if (entry.field === "chosen") return narrowed();
    if (entry.task) return narrowed() && tasksOfView().length <= 20 && tasksOfView().some((task) => task.number === entry.task.number);
    if (entry.field === "lacking") return BOARD.models.some((model) => Object.keys(model.gaps).length > 0);
    if (["span", "ranks", "group"].includes(entry.field)) return has("low");
    return !optional.includes(entry.field) || has(entry.field);
  }

  // The rows of the view, ranked among themselves; ties and ranks' intervals are the whole board's, so only that has them.
  function rows() {
    const chosen = tasksOfView();
    let models = BOARD.models.filter(matches);
    const over = (model) => chosen.map((task) => model.scores[task.number]);
    const whole = (model) => narrowed() ? chosen.length > 0 && over(model).every(known) : known(model.mean);
    if (state.complete) models = models.filter(whole);
    const all = models.length === BOARD.models.length && !narrowed();
    const ranks = all ? null : Ranking.ranks(models, chosen);
    return models.map((model) => {
      const row = {
        ...model,
        rank: all ? model.rank : ranks.get(model),
        group: all ? model.group : null,
        lacking: Object.keys(model.gaps).length,
        chosen: narrowed() && whole(model) ? d3.mean(over(model)) : null,
        span: known(model.low) && model.low !== model.high ? `${score(model.low)} to ${score(model.high)}` : null,
        ranks: all && known(model.best) ? (model.best === model.worst ? `${model.best}` : `${model.best} to ${model.worst}`) : null,
      };
      BOARD.types.forEach((type, at) => { row[`type${at}`] = model.types[at]; });
      BOARD.groups.forEach((name, at) => { row[`group${at}`] = model.groups[at]; });
      model.scores.forEach((value, at) => { row[`task${at}`] = value; });
      return row;
    });
  }

  // Lowest and highest of each column of scores in the view, and where its bars end.
  function extents(view) {
    const result = {};
    for (const { field, bar, score: scored } of columns) {
      const values = bar || scored ? view.map((row) => row[field]).filter(known) : [];
      if (values.length) result[field] = { low: d3.min(values), high: d3.max(values), end: Math.max(d3.max(values), bar ? d3.max(view, (row) => row.high || 0) : 0) };
    }
    return result;
  }

  function cell(entry) {
    return (place) => {
      const value = place.getValue();
      if (entry.field === "label") return Cells.model(place.getData());
      const shown = entry.show ? entry.show(value) : number(value);
      if (entry.bar) return Cells.mean(value, entry.field === "mean" ? place.getData() : {}, shown, extent[entry.field]);
      return entry.score ? Cells.score(value, shown, extent[entry.field], place.getElement()) : Cells.text(shown);
    };
  }

  // --- the table ----------------------------------------------------------------------------------------------------

  read();
  let data = rows();
  let extent = extents(data);
  const [sortField, sortDirection] = state.sort.split(":");
  byId("board").replaceChildren();
  const table = new Tabulator("#board", {
    data,
    nestedFieldSeparator: false,
    layout: "fitDataFill",
    height: Math.min(Math.max(420, innerHeight - 305), 62 + 33 * (data.length + 1)),
    placeholder: "No model fits",
    renderHorizontal: "virtual",
    renderVerticalBuffer: 200,
    columnDefaults: { resizable: "header" },
    initialSort: [{ column: sortField, dir: sortDirection }],
    printAsHtml: true,
    printRowRange: "active",
    columns: columns.map((entry) => {
      const { task, show, bar, score: scored, meaning, ...definition } = entry;
      return { ...definition, formatter: cell(entry), titleFormatter: () => Cells.title(entry), visible: isShown(entry), headerHozAlign: entry.hozAlign };
    }),
  });

  function draw() {
    const view = table.getData("active");
    const ranked = narrowed() ? view.map((row) => ({ ...row, mean: row.chosen, low: null, high: null })) : view;
    Figures.put("pareto", (width) => Figures.pareto(ranked, byId("cost").value, width));
    Figures.put("intervals", (width) => Figures.intervals(ranked, width));
    Figures.put("history", (width) => Figures.history(ranked, width));
    cards(ranked);
    Figures.put("heat", (width) => Figures.heat(view, tasksOfView(), width));
    byId("status").textContent = `${view.length} of ${BOARD.models.length} models` + (narrowed() ? `, ${tasksOfView().length} of ${tasks.length} tasks` : "") +
      (state.common ? ", those that all of these models have" : "") +
      (view.length < BOARD.models.length ? "; ranks are among these models" : "") +
      (state.size ? `; models of unknown size are left out` : "");
  }

  // The cards above the details, for the models of the view.
  function cards(view) {
    const complete = view.filter((row) => known(row.mean)).sort((a, b) => a.rank - b.rank || a.label.localeCompare(b.label));
    const timed = complete.filter((row) => known(row.speed));
    const tied = complete.length && known(complete[0].group) ? complete.filter((row) => row.group === complete[0].group).length - 1 : 0;
    const picks = [
      ["First" + (tied ? `, statistically tied with ${tied} more` : ""), complete[0]],
      ["First below 150 million parameters", complete.find((row) => row.parameters && row.parameters < 150e6)],
      ["Fastest", timed[d3.maxIndex(timed, (row) => row.speed)]],
    ];
    document.querySelector(".cards").replaceChildren(...picks.filter(([, row]) => row).map(([what, row]) => {
      const made = (name, text, className = "") => Object.assign(document.createElement(name), { textContent: text, className });
      const card = made("div", "", "card");
      const model = made("p", "", "big");
      model.append(Object.assign(made("a", row.label), { href: row.url }));
      const facts = document.createElement("dl");
      for (const [name, value] of [
        ["Mean", score(row.mean)],
        ["95%", known(row.low) && row.low !== row.high ? `${score(row.low)} to ${score(row.high)}` : null],
        ["Rank (Borda)", row.rank],
        ["Speed", known(row.speed) ? `${d3.format(",.0f")(row.speed)} tokens/s` : null],
        ["Parameters", known(row.parameters) ? compact(row.parameters).replace("G", "B") : null],
      ].filter(([, value]) => known(value))) {
        const pair = document.createElement("div");
        pair.append(made("dt", name), made("dd", value));
        facts.append(pair);
      }
      card.append(made("h3", what), model, facts);
      return card;
    }));
  }

  let waiting = 0;
  function drawSoon() { // one drawing for a burst of changes, after the table has answered
    clearTimeout(waiting);
    waiting = setTimeout(draw, 150);
  }

  async function refill() {
    data = rows();
    extent = extents(data);
    await table.replaceData(data);
    changed();
  }

  async function retask() {
    await refill();
    for (const entry of columns) table[isShown(entry) ? "showColumn" : "hideColumn"](entry.field);
    if (narrowed()) table.setSort("chosen", "desc");
  }

  function changed() {
    write();
    drawSoon();
  }

  // --- controls -----------------------------------------------------------------------------------------------------

  function choices(id, items, chosen, act) {
    const place = document.querySelector(`#${id} > div`);
    place.replaceChildren(...items.map(({ value, text }) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = value;
      box.checked = chosen(value);
      box.addEventListener("change", () => act(value, box.checked));
      label.append(box, " ", text);
      return label;
    }));
  }

  function toggle(name) {
    return (value, on) => {
      state[name] = on ? [...state[name], value] : state[name].filter((item) => item !== value);
      state.columns = null;
      retask().then(controls);
    };
  }

  function sized() {
    const slider = byId("size");
    const text = state.size ? `up to ${d3.format("~s")(state.size).replace("G", "B")}` : "any";
    slider.value = state.size ? SIZES.indexOf(state.size) : SIZES.length;
    slider.setAttribute("aria-valuetext", text);
    byId("size-text").textContent = text;
  }

  function controls() {
    byId("size").max = SIZES.length;
    byId("open-control").hidden = BOARD.models.every((model) => model.open_weights !== false);
    byId("open").checked = state.open;
    byId("size-control").hidden = !SIZES.length;
    sized();
    byId("search").value = state.search;
    byId("complete").checked = state.complete;
    byId("common").checked = state.common;
    choices("types", BOARD.types.map((type) => ({ value: type, text: type })), (type) => state.types.includes(type), toggle("types"));
    choices("languages", languages.map((name) => ({ value: name, text: name })), (name) => state.languages.includes(name), toggle("languages"));
    const free = columns.filter((entry) => !entry.frozen);
    choices("columns", free.map((entry) => ({ value: entry.field, text: entry.title })),
      (field) => isShown(columns.find((entry) => entry.field === field)),
      (field, on) => {
        const shown = free.filter(isShown).map((entry) => entry.field);
        state.columns = on ? [...shown, field] : shown.filter((item) => item !== field);
        table[on ? "showColumn" : "hideColumn"](field);
        changed();
      });
  }

  byId("search").addEventListener("input", (event) => {
    state.search = event.target.value;
    if (state.common) retask(); else refill();
  });
  byId("common").addEventListener("change", (event) => { state.common = event.target.checked; retask().then(controls); });
  byId("complete").addEventListener("change", (event) => { state.complete = event.target.checked; refill(); });
  byId("open").addEventListener("change", (event) => {
    state.open = event.target.checked;
    if (state.common) retask(); else refill();
  });
  byId("size").addEventListener("input", (event) => {
    state.size = SIZES[Number(event.target.value)] || null;
    sized();
    if (state.common) retask(); else refill();
  });
  byId("cost").addEventListener("change", drawSoon);
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(state, { search: "", types: [], languages: [], columns: null, size: null, open: false, complete: false, common: false, sort: DEFAULT_SORT });
    retask().then(() => { table.setSort("rank", "asc"); controls(); });
  });
  byId("link").addEventListener("click", async () => {
    write();
    try {
      await navigator.clipboard.writeText(location.href);
      byId("status").textContent = "The link is copied.";
    } catch {
      byId("status").textContent = "The address bar holds the link.";
    }
  });
  for (const chooser of document.querySelectorAll(".chooser")) {
    chooser.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { chooser.open = false; chooser.querySelector("summary").focus(); }
    });
  }
  addEventListener("click", (event) => {
    for (const chooser of document.querySelectorAll(".chooser[open]")) if (!chooser.contains(event.target)) chooser.open = false;
  });
  addEventListener("themechange", () => { write(); drawSoon(); });
  addEventListener("resize", drawSoon);

  table.on("tableBuilt", () => {
    controls();
    // The part that scrolls can take the focus, so in the grid it has to be the group of the rows.
    document.querySelector("#board .tabulator-tableholder").setAttribute("role", "rowgroup");
    document.querySelector("#board .tabulator-tableholder .tabulator-table").setAttribute("role", "presentation");
    draw();
    document.documentElement.dataset.ready = "true";
    table.on("dataSorted", (sorters) => {
      if (!sorters.length) return;
      state.sort = `${sorters[0].field}:${sorters[0].dir}`;
      changed();
    });
  });
})();
