"use strict";
// The board: a Tabulator table whose whole state (sort, filters, columns, theme) lies in the address after the `#`.
(() => {
  const known = (value) => value !== null && value !== undefined;
  const byId = (id) => document.getElementById(id);
  const compact = d3.format(".3s");
  const tasks = BOARD.tasks.map((task, number) => ({ ...task, number }));
  const languages = [...new Set(tasks.flatMap((task) => task.languages))].sort();
  const DEFAULT_SORT = "rank:asc";

  // --- what is shown ------------------------------------------------------------------------------------------------

  const state = { search: "", types: [], languages: [], columns: null, complete: false, common: false, sort: DEFAULT_SORT };

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const decoded = (text) => { try { return decodeURIComponent(text); } catch { return ""; } };  // a link cut off
    const list = (name, allowed) => (given.get(name) || "").split(",").map(decoded).filter((item) => allowed.includes(item));
    state.search = given.get("search") || "";
    state.types = list("types", BOARD.types);
    state.languages = list("languages", languages);
    state.columns = given.has("columns") ? list("columns", columns.map((column) => column.field)) : null;
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
    if (state.complete) said.set("complete", "1");
    if (state.common) said.set("common", "1");
    if (state.sort !== DEFAULT_SORT) said.set("sort", state.sort);
    const theme = document.documentElement.dataset.theme;
    if (said.size || theme === "dark") said.set("theme", theme);
    history.replaceState(null, "", said.size ? `#${said}` : location.pathname + location.search);
  }

  const matches = (model) => model.label.toLowerCase().includes(state.search.toLowerCase());
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
  const number = (value) => known(value) ? String(value) : "–";
  const last = (a, b, _rowA, _rowB, _column, direction) => { // what is missing stays at the end, whichever way
    if (!known(a) || !known(b)) return (known(a) ? -1 : known(b) ? 1 : 0) * (direction === "desc" ? -1 : 1);
    return typeof a === "string" ? a.localeCompare(b) : a - b;
  };
  const column = (field, title, show, more = {}) => ({
    field, title, show, sorter: last, hozAlign: "right", headerSortStartingDir: "desc", minWidth: 80, ...more,
  });
  const columns = [
    column("rank", "Rank (Borda)", number, { headerSortStartingDir: "asc", frozen: true, width: 115 }),
    column("label", "Model", null, { headerSortStartingDir: "asc", hozAlign: "left", frozen: true, width: 380 }),
    column("mean", "Mean (Task)", score),
    column("span", "95%", null, { minWidth: 140, headerSort: false }),
    column("ranks", "Ranks 95%", number, { headerSort: false }),
    column("group", "Tie group", number, { headerSortStartingDir: "asc" }),
    column("chosen", "Mean (chosen tasks)", score),
    column("mean_type", "Mean (TaskType)", score),
    ...BOARD.types.map((type, at) => column(`type${at}`, type, score, { minWidth: 110 })),
    ...BOARD.groups.map((name, at) => column(`group${at}`, name, score, { minWidth: 110 })),
    column("zero_shot", "Zero-shot", (value) => known(value) ? `${Math.round(value * 100)}%` : "–"),
    column("parameters", "Parameters", (value) => known(value) ? compact(value).replace("G", "B") : "–", { headerSortStartingDir: "asc" }),
    column("dimensions", "Dimensions", number),
    column("max_tokens", "Max tokens", number),
    column("speed", "Tokens/s", (value) => known(value) ? compact(value) : "–"),
    column("device", "Device", number, { hozAlign: "left" }),
    column("lacking", "Missing", number, { headerSortStartingDir: "asc" }),
    ...tasks.map((task) => column(`task${task.number}`, task.name, score, { task, minWidth: 110 })),
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

  function rows() {
    const chosen = tasksOfView();
    return BOARD.models.map((model) => {
      const scores = chosen.map((task) => model.scores[task.number]);
      const row = {
        ...model,
        lacking: Object.keys(model.gaps).length,
        chosen: scores.every(known) && scores.length ? d3.mean(scores) : null,
        span: known(model.low) ? `${score(model.low)} to ${score(model.high)}` : null,
        ranks: known(model.best) ? (model.best === model.worst ? `${model.best}` : `${model.best} to ${model.worst}`) : null,
      };
      BOARD.types.forEach((type, at) => { row[`type${at}`] = model.types[at]; });
      BOARD.groups.forEach((name, at) => { row[`group${at}`] = model.groups[at]; });
      model.scores.forEach((value, at) => { row[`task${at}`] = value; });
      return row;
    });
  }

  // Names come from files of others: every cell and title is made of text nodes.
  function cell(entry) {
    return (made) => {
      const value = made.getValue();
      if (entry.field === "label") {
        const link = document.createElement("a");
        link.href = made.getData().url;
        link.textContent = value;
        return link;
      }
      const shown = document.createElement("span");
      shown.textContent = entry.show ? entry.show(value) : number(value);
      if (!known(value)) shown.className = "missing";
      return shown;
    };
  }

  function title(entry) {
    return () => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = entry.title;
      return button;
    };
  }

  // --- the table ----------------------------------------------------------------------------------------------------

  read();
  const data = rows();
  const [sortField, sortDirection] = state.sort.split(":");
  byId("board").replaceChildren();
  const table = new Tabulator("#board", {
    data,
    nestedFieldSeparator: false,
    layout: "fitDataFill",
    height: Math.min(760, 60 + 36 * (data.length + 1)),
    placeholder: "No model fits",
    renderHorizontal: "virtual",
    renderVerticalBuffer: 200,
    columnDefaults: { resizable: "header" },
    initialSort: [{ column: sortField, dir: sortDirection }],
    printAsHtml: true,
    printRowRange: "active",
    columns: columns.map((entry) => {
      const { task, show, ...definition } = entry;
      return { ...definition, formatter: cell(entry), titleFormatter: title(entry), visible: isShown(entry), headerHozAlign: entry.hozAlign };
    }),
  });

  function filter() {
    table.setFilter((row) => matches(row) && (!state.complete || known(narrowed() ? row.chosen : row.mean)));
  }

  function draw() {
    const view = table.getData("active");
    const ranked = narrowed() ? view.map((row) => ({ ...row, mean: row.chosen, low: null, high: null })) : view;
    Figures.put("pareto", (width) => Figures.pareto(ranked, byId("cost").value, width));
    Figures.put("intervals", (width) => Figures.intervals(ranked, width));
    Figures.put("history", (width) => Figures.history(ranked, width));
    Figures.put("heat", (width) => Figures.heat(view, tasksOfView(), width));
    byId("status").textContent = `${view.length} of ${data.length} models` + (narrowed() ? `, ${tasksOfView().length} of ${tasks.length} tasks` : "") +
      (state.common ? ", those that all of these models have" : "");
  }

  let waiting = 0;
  function drawSoon() { // one drawing for a burst of changes, after the table has answered
    clearTimeout(waiting);
    waiting = setTimeout(draw, 150);
  }

  async function retask() {
    const fresh = rows();
    data.forEach((row, at) => { row.chosen = fresh[at].chosen; });
    await table.replaceData(data);
    for (const entry of columns) table[isShown(entry) ? "showColumn" : "hideColumn"](entry.field);
    if (narrowed()) table.setSort("chosen", "desc");
    filter();
    changed();
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

  function controls() {
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
    if (state.common) { retask(); } else { filter(); changed(); }
  });
  byId("common").addEventListener("change", (event) => { state.common = event.target.checked; retask().then(controls); });
  byId("complete").addEventListener("change", (event) => { state.complete = event.target.checked; filter(); changed(); });
  byId("cost").addEventListener("change", drawSoon);
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(state, { search: "", types: [], languages: [], columns: null, complete: false, common: false, sort: DEFAULT_SORT });
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
    filter();
    controls();
    draw();
    document.documentElement.dataset.ready = "true";
    table.on("dataSorted", (sorters) => {
      if (!sorters.length) return;
      state.sort = `${sorters[0].field}:${sorters[0].dir}`;
      changed();
    });
  });
})();
