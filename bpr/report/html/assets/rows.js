// Filters and sorts the instances. Pure functions over the data.
"use strict";

(function (report) {
  /** Points of change that the verdict does not expect to be a gain; without a verdict all of them. Unchanged masks come last. */
  function doubt(row) {
    return row.agreement === 100 ? -Infinity : 100 - row.agreement - (row.judged?.expected_gain ?? 0);
  }

  function descending(a, b) {
    return a === b ? 0 : b - a;
  }

  const ORDERS = {
    first: (a, b) => descending(doubt(a), doubt(b)),
    gain: (a, b) => b.change - a.change,
    harm: (a, b) => a.change - b.change,
    before: (a, b) => a.metrics.iou[0] - b.metrics.iou[0],
    after: (a, b) => a.metrics.iou[1] - b.metrics.iou[1],
    grown: (a, b) => b.areaChange - a.areaChange,
    shrunk: (a, b) => a.areaChange - b.areaChange,
    score: (a, b) => (b.score ?? -1) - (a.score ?? -1),
    area: (a, b) => b.area - a.area,
    class: (a, b) => a.class.localeCompare(b.class),
    image: (a, b) => a.image.localeCompare(b.image),
  };

  /** The order of a gallery that names none. */
  const firstOrder = globalThis.bprReportData.hasTruth ? "gain" : "first";

  /** The rows that pass every filter, sorted. `filters` is an object of texts; an empty text is no filter. */
  function select(rows, filters) {
    const text = (filters.text ?? "").trim().toLowerCase();
    const [low, high] = (filters.score || ",").split(",");
    const fits = (row) =>
      (!text || `${row.class} ${row.image} ${row.imageId}`.toLowerCase().includes(text)) &&
      (!filters.class || row.class === filters.class) &&
      (!filters.size || row.size === filters.size) &&
      (!filters.verdict || row.verdict === filters.verdict) &&
      (!filters.taken || row.judged?.verdict === filters.taken) &&
      (!filters.mark || (row.mark ?? "open") === filters.mark) &&
      (!high || (row.score !== null && row.score >= +low && (row.score < +high || +high === 1))) &&
      (!filters.least || row.change >= +filters.least) &&
      (!filters.most || row.change <= +filters.most);
    const order = ORDERS[filters.sort] ?? ORDERS[firstOrder];
    return rows.filter(fits).sort((a, b) => order(a, b) || a.number - b.number);
  }

  /** [class, count] pairs, sorted by class. */
  function classes(rows) {
    const counts = new Map();
    for (const row of rows) counts.set(row.class, (counts.get(row.class) ?? 0) + 1);
    return [...counts].sort(([a], [b]) => a.localeCompare(b));
  }

  /** A number with its sign; the minus sign is U+2212. */
  function signed(value, digits = 1) {
    const text = value.toFixed(digits).replace("-", "−");
    return value > 0 ? `+${text}` : text;
  }

  /** The verdict of the run: how much of the change it took, and what it expects of that. */
  function judged(row) {
    return `${row.judged.verdict}, ${signed(row.judged.expected_gain)} expected`;
  }

  report.rows = { select, classes, signed, judged, firstOrder };
})((globalThis.bprReport ??= {}));
