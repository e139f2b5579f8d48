// The list that is shown: filters and order of the rows, and the choices that the rows offer.
"use strict";
(() => {
  const by = photochrom.by;
  const FIELDS = [
    "sort",
    "order",
    "text",
    "folder",
    "kind",
    "reason",
    "run",
    "confidence-from",
    "confidence-to",
    "chroma-from",
    "chroma-to",
  ];
  const DEFAULTS = {sort: "confidence", order: "up"};
  const VALUES = {
    confidence: (row) => row.confidence,
    chroma: (row) => row.chroma,
    run: (row) => row.run,
    key: (row) => row.key,
    name: (row) => row.name,
    size: (row) => row.height * row.width,
  };
  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

  photochrom.filters = {
    FIELDS,

    /** The fields that differ from the defaults, as they stand in the address. */
    read: () =>
      Object.fromEntries(
        FIELDS.map((name) => [name, by(name).value]).filter(([name, value]) => value !== (DEFAULTS[name] ?? "")),
      ),

    write(values) {
      for (const name of FIELDS) {
        const value = values[name] ?? DEFAULTS[name] ?? "",
          field = by(name);
        if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) continue;
        field.value = value;
      }
    },

    /** The rows that fit, in order. */
    apply(rows, state) {
      const value = (name) => by(name).value;
      const tests = [];
      const number = (name, otherwise) => (value(name) === "" || Number.isNaN(+value(name)) ? otherwise : +value(name));
      const range = (name, get) => {
        const from = number(`${name}-from`, -Infinity),
          to = number(`${name}-to`, Infinity);
        if (from !== -Infinity || to !== Infinity) tests.push((row) => get(row) >= from && get(row) <= to);
      };
      const text = value("text").toLowerCase();
      if (state) tests.push((row) => row.state === state);
      if (text) tests.push((row) => row.key.toLowerCase().includes(text));
      if (value("folder")) tests.push((row) => row.folder.startsWith(value("folder")));
      if (value("kind")) tests.push((row) => row.kind === value("kind"));
      if (value("reason"))
        tests.push((row) => (row.reason || (row.problem ? "problem" : "coloured")) === value("reason"));
      if (value("run")) tests.push((row) => String(row.run) === value("run"));
      range("confidence", VALUES.confidence);
      range("chroma", VALUES.chroma);
      const get = VALUES[value("sort")],
        sign = value("order") === "down" ? -1 : 1;
      return rows
        .filter((row) => tests.every((test) => test(row)))
        .sort((one, other) => sign * compare(get(one), get(other)) || compare(one.key, other.key));
    },

    /** Fills the choices from the rows, with counts; what is chosen stays. */
    offer(rows, words) {
      const fill = (name, counts, text) => {
        const chosen = by(name).value;
        by(name).replaceChildren(
          new Option("all", ""),
          ...counts.map(([value, count]) => new Option(`${text(value)} (${count})`, value)),
        );
        by(name).value = counts.some(([value]) => String(value) === chosen) ? chosen : "";
      };
      const count = (get) => {
        const found = new Map();
        for (const row of rows) for (const value of get(row)) found.set(value, (found.get(value) ?? 0) + 1);
        return [...found].sort((one, other) => compare(one[0], other[0]));
      };
      const run = (number) => {
        const known = photochrom.about.runs.find((one) => one.run === number);
        return known
          ? `${number}, ${known.started.slice(0, 10)}, ${photochrom.printable(known.model)}`
          : String(number);
      };
      fill("folder", mostUsed(count((row) => ancestors(row.folder))), photochrom.printable);
      fill(
        "kind",
        count((row) => [row.kind]).filter(([value]) => value),
        (value) => value,
      );
      fill(
        "reason",
        count((row) => [row.reason || (row.problem ? "problem" : "coloured")]),
        (value) =>
          value === "coloured"
            ? "coloured by the model"
            : value === "problem"
              ? "no thumbnail"
              : (words[value] ?? value),
      );
      fill(
        "run",
        count((row) => [row.run]),
        run,
      );
    },
  };

  // "a/b/" -> "a/", "a/b/"
  const known = new Map();
  const ancestors = (folder) => {
    if (!known.has(folder))
      known.set(
        folder,
        folder
          .split("/")
          .slice(0, -1)
          .map((_, i, parts) => parts.slice(0, i + 1).join("/") + "/"),
      );
    return known.get(folder);
  };

  /** The largest folders, in order of names: a list of thousands is of no use. */
  const mostUsed = (counts) =>
    counts.length <= 500
      ? counts
      : [...counts]
          .sort((one, other) => other[1] - one[1])
          .slice(0, 500)
          .sort((one, other) => compare(one[0], other[0]));
})();
