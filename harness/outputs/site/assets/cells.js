"use strict";
// The table's cells. Names come from files of others: every cell and title is made of text nodes.
const Cells = (() => {
  const known = (value) => value !== null && value !== undefined;
  const exact = (value) => (100 * value).toFixed(2);

  function text(content, name = "") {
    const element = document.createElement("span");
    element.textContent = content;
    element.className = known(content) && content !== "–" ? name : "missing";
    return element;
  }

  // The last part of a model's name, unless two models of the board share it.
  const shared = new Map();
  for (const model of BOARD.models) shared.set(Figures.short(model), (shared.get(Figures.short(model)) || 0) + 1);

  function model(row) {
    const link = document.createElement("a");
    link.href = row.url;
    link.textContent = shared.get(Figures.short(row)) > 1 ? row.label : Figures.short(row);
    link.title = row.label;
    return link;
  }

  // A mean, its bar from 0 to the best of the view, and the whisker of its 95% interval.
  function mean(value, row, shown, extent) {
    const cell = document.createElement("span");
    cell.className = "mean";
    cell.append(text(shown, extent && value === extent.high ? "best" : ""));
    if (!known(value) || !extent) return cell;
    const percent = (part) => `${Math.max(0, Math.min(100, (100 * part) / extent.end))}%`;
    const bar = document.createElement("span");
    bar.className = "bar";
    const fill = document.createElement("span");
    fill.className = "fill";
    fill.style.width = percent(value);
    bar.append(fill);
    if (known(row.low) && row.low !== row.high) {
      const whisker = document.createElement("span");
      whisker.className = "whisker";
      whisker.style.left = percent(row.low);
      whisker.style.width = percent(row.high - row.low);
      bar.append(whisker);
    }
    cell.title = `${exact(value)}` + (known(row.low) && row.low !== row.high ? `, 95% interval ${exact(row.low)} to ${exact(row.high)}` : "");
    cell.append(bar);
    return cell;
  }

  // A score, shaded by its place between the lowest and the highest of its column; the best is bold.
  function score(value, shown, extent, cell) {
    const element = text(shown, extent && value === extent.high ? "best" : "");
    if (!known(value)) return element;
    element.title = exact(value);
    if (extent && extent.high > extent.low) {
      const share = (value - extent.low) / (extent.high - extent.low);
      cell.style.setProperty("--shade", `${Math.round(45 * share)}%`);
      cell.classList.add("shaded");
    }
    return element;
  }

  function title(entry) {
    const button = document.createElement("button");
    button.type = "button";
    // A long title may break where a word of it begins.
    entry.title.split(/(?<=[a-z])(?=[A-Z])/).forEach((word, at) => button.append(...(at ? [document.createElement("wbr")] : []), word));
    if (entry.meaning) {
      button.title = entry.meaning;
      button.setAttribute("aria-description", entry.meaning);
    }
    return button;
  }

  return { model, mean, score, text, title };
})();
