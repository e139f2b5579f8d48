// The decisions: key -> list of [decision, digest of the copy, reason, reviewer, time], one for each reviewer. Each key
// is an item of localStorage, so that a decision costs one small write.
"use strict";
(() => {
  const DECISIONS = ["accept", "reject", "later"];
  const SHA256 = /^[0-9a-f]{64}$/,
    TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
  const FIELDS = ["key", "copy_sha256", "decision", "reason", "reviewer", "time"];
  const PREFIX = `photochrom:${location.host}${location.pathname.replace(/index\.html$/, "")}:`;
  const all = new Map(),
    undone = [];
  let changed = () => {},
    failed = () => {};

  const keep = (key, list) => {
    if (list.length) all.set(key, list);
    else all.delete(key);
    try {
      if (list.length) localStorage.setItem(PREFIX + key, JSON.stringify(list));
      else localStorage.removeItem(PREFIX + key);
    } catch (error) {
      failed("The browser keeps no more decisions: export them now, before this page is closed.");
    }
    changed(key);
  };

  const read = (text) => {
    try {
      const list = JSON.parse(text);
      return Array.isArray(list)
        ? list.filter(
            (one) => Array.isArray(one) && DECISIONS.includes(one[0]) && one.every((part) => typeof part === "string"),
          )
        : [];
    } catch (error) {
      return [];
    }
  };

  const firm = (list) => new Set(list.filter(([decision]) => decision !== "later").map(([decision]) => decision));

  const store = (photochrom.store = {
    /** Reads what this browser has; `onChange` is called with each key that changes, `onFail` with a message. */
    open(onChange, onFail) {
      changed = onChange;
      failed = onFail;
      try {
        for (let i = 0; i < localStorage.length; i++) {
          const name = localStorage.key(i);
          if (!name.startsWith(PREFIX)) continue;
          const list = read(localStorage.getItem(name));
          if (list.length) all.set(name.slice(PREFIX.length), list);
        }
        addEventListener("storage", (event) => {
          // another tab decided
          if (!event.key?.startsWith(PREFIX)) return;
          const key = event.key.slice(PREFIX.length),
            list = read(event.newValue ?? "[]");
          if (list.length) all.set(key, list);
          else all.delete(key);
          changed(key);
        });
      } catch (error) {
        failed("This browser keeps nothing for this page: export your decisions before you close it.");
      }
    },

    get: (key) => all.get(key) ?? [],
    get size() {
      return all.size;
    },

    /**
     * undecided, accept, reject, later, conflict (reviewers differ), or stale (about another version of the copy).
     * Where this browser has no decision, the row's own counts: colorize --decisions wrote it.
     */
    state(row) {
      const list = store.get(row.key),
        current = list.filter((one) => one[1] === row.sha256),
        found = firm(current);
      return !list.length
        ? row.decision === "accepted"
          ? "accept"
          : "undecided"
        : !current.length
          ? "stale"
          : found.size > 1
            ? "conflict"
            : [...found, "later"][0];
    },

    /** Decides on rows: replaces all decisions on them, those of other reviewers too, whom the reviewer has seen. */
    decide(rows, decision, reason, reviewer) {
      undone.push(rows.map((row) => [row.key, store.get(row.key)]));
      const time = new Date().toISOString().slice(0, 19) + "Z";
      for (const row of rows) keep(row.key, [[decision, row.sha256, reason, reviewer, time]]);
    },

    /** Takes the last decision or import back, and returns its keys. */
    undo() {
      const last = undone.pop() ?? [];
      for (const [key, list] of last) keep(key, list);
      return last.map(([key]) => key);
    },
    get canUndo() {
      return undone.length > 0;
    },

    /** JSON Lines; decisions without a reviewer get the name that is given now, here too. */
    toLines(reviewer) {
      for (const [key, list] of all)
        if (list.some((one) => !one[3]))
          keep(
            key,
            list.map((one) => one.with(3, one[3] || reviewer)),
          );
      const lines = [...all].flatMap(([key, list]) =>
        list.map(([decision, copy_sha256, reason, by, time]) => ({
          key,
          copy_sha256,
          decision,
          reason,
          reviewer: by,
          time,
        })),
      );
      lines.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : one.time < other.time ? -1 : 1));
      return lines.map((line) => JSON.stringify(line) + "\n").join("");
    },

    /** Merges files; of each reviewer the last decision on a key counts. Returns counts, conflicts and bad lines. */
    merge(files) {
      const before = new Map(),
        bad = [];
      let count = 0;
      for (const {name, text} of files)
        text.split("\n").forEach((line, i) => {
          if (!line.trim()) return;
          const [found, problem] = parse(line);
          if (problem) {
            bad.push(`${name}, line ${i + 1}: ${problem}`);
            return;
          }
          const [key, one] = found,
            list = store.get(key);
          if (!before.has(key)) before.set(key, list);
          const mine = list.find((other) => other[3] === one[3]);
          if (!mine || mine[4] < one[4]) all.set(key, [...list.filter((other) => other !== mine), one]);
          count++;
        });
      for (const key of before.keys()) keep(key, store.get(key));
      if (before.size) undone.push([...before]);
      return {count, bad, keys: [...before.keys()]};
    },
  });

  /** Returns [[key, decision], ""], or [null, problem]: a file comes from another person. */
  const parse = (line) => {
    let value;
    try {
      value = JSON.parse(line);
    } catch (error) {
      return [null, "is no JSON"];
    }
    if (value === null || typeof value !== "object") return [null, "is no JSON object"];
    for (const name of FIELDS) {
      if (typeof value[name] !== "string") return [null, `has no text ${name}`];
      if (value[name].length > 4096) return [null, `${name} is too long`];
    }
    const {key, copy_sha256, decision, reason, reviewer, time} = value;
    return key === ""
      ? [null, "key is empty"]
      : !DECISIONS.includes(decision)
        ? [null, "decision is none of accept, reject, later"]
        : !SHA256.test(copy_sha256)
          ? [null, "copy_sha256 is no SHA-256"]
          : !TIME.test(time)
            ? [null, "time is none such as 2026-01-31T12:00:00Z"]
            : [[key, [decision, copy_sha256, reason, reviewer, time]], ""];
  };
})();
