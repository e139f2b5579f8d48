// Inputs without a copy: failed and skipped, with their reasons in words.
"use strict";
(() => {
  const {by, element, printable} = photochrom;
  const STATUS = {failed: "failed", skipped: "skipped"};
  let rows = [];

  const code = (row) => `${row.status}:${row.reason}`;
  const words = (value) => {
    const [status, reason] = value.split(":");
    return `${STATUS[status] ?? status}: ${photochrom.about.words[reason] ?? (reason.replaceAll("_", " ") || "no reason")}`;
  };

  photochrom.others = {
    add(found) {
      rows.push(...found);
    },

    /** The rows that fit, failed ones first. */
    list(reason, text) {
      const lower = text.toLowerCase();
      return rows
        .filter(
          (row) =>
            (!reason || code(row) === reason) && (!lower || `${row.key}\n${row.message}`.toLowerCase().includes(lower)),
        )
        .sort((one, other) =>
          one.status < other.status ? -1 : one.status > other.status ? 1 : one.key < other.key ? -1 : 1,
        );
    },

    offer(chosen) {
      const counts = new Map([["", rows.length]]);
      for (const row of [...rows].sort((one, other) => (code(one) < code(other) ? -1 : 1)))
        counts.set(code(row), (counts.get(code(row)) ?? 0) + 1);
      by("reasons").replaceChildren(
        ...[...counts].map(([value, count]) => {
          const button = element(
            "button",
            {type: "button", ariaPressed: String(value === chosen)},
            value ? words(value) : "all",
            " ",
            element("span", {className: "count"}, count.toLocaleString()),
          );
          button.dataset.reason = value;
          return button;
        }),
      );
    },

    show(page) {
      by("others-list").replaceChildren(
        ...page.map((row) =>
          element(
            "li",
            {className: row.status},
            element("bdi", {className: "name"}, printable(row.key)),
            element("span", {className: "why"}, words(code(row))),
            element("span", {className: "message"}, printable(row.message)),
          ),
        ),
      );
    },
  };
})();
