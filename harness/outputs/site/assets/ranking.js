"use strict";
// Ranks of the models and tasks of a view, by the definition of the whole board's: Borda points over the view's models.
const Ranking = (() => {
  const known = (value) => value !== null && value !== undefined;

  // A task gives a model (models - its rank); equal scores share the mean of their ranks. Where parts of a task are
  // missing, the mean of the recorded ones counts for the rank, as in mteb.
  function points(models, tasks) {
    const sums = new Map(models.map((model) => [model, 0]));
    for (const { number } of tasks) {
      const scored = models
        .map((model) => ({ model, value: known(model.scores[number]) ? model.scores[number] : model.partial[number] }))
        .filter((entry) => known(entry.value))
        .sort((a, b) => b.value - a.value);
      for (let from = 0, to; from < scored.length; from = to) {
        to = from + 1;
        while (to < scored.length && scored[to].value === scored[from].value) to += 1;
        const rank = (from + 1 + to) / 2;
        for (const entry of scored.slice(from, to)) sums.set(entry.model, sums.get(entry.model) + models.length - rank);
      }
    }
    return sums;
  }

  // Where the board is sorted by a mean over subsets, the order of the whole board holds in every view.
  function ranks(models, tasks) {
    const value = BOARD.by_subset ? new Map(models.map((model) => [model, -model.rank])) : points(models, tasks);
    const ordered = [...models].sort((a, b) => value.get(b) - value.get(a));
    const result = new Map();
    ordered.forEach((model, at) => {
      const equal = at > 0 && value.get(ordered[at - 1]) === value.get(model);
      result.set(model, equal ? result.get(ordered[at - 1]) : at + 1);
    });
    return result;
  }

  return { ranks };
})();
