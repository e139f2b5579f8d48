// The rows: data/index.js calls photochrom.index, each data file photochrom.add. Files are scripts, for a page that is
// opened from disk may not read files. Row: see columns() of serving/review/items.py, and docs/review.md.
"use strict";
globalThis.photochrom = {};
(() => {
  const parts = {pictures: [], others: []};
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu;

  photochrom.about = null;
  photochrom.index = (about) => {
    photochrom.about = about;
  };

  photochrom.add = (data) => {
    const coded = (name) => (i) => data[name].values[data[name].codes[i]];
    const get = Object.fromEntries(
      ["folder", "problem", "status", "reason", "stage", "kind", "format", "notes", "message", "decision"].map(
        (name) => [name, coded(name)],
      ),
    );
    parts[data.part][data.number] = data.name.map((name, i) => {
      const row = {
        name,
        folder: get.folder(i),
        key: get.folder(i) + name,
        output: data.output[i],
        sha256: data.sha256[i],
        confidence: data.confidence[i] / 1000,
        chroma: data.chroma[i] / 10,
        hasView: data.view[i] === 1,
        height: data.height[i],
        width: data.width[i],
        run: data.run[i],
        problem: get.problem(i),
        status: get.status(i),
        reason: get.reason(i),
        stage: get.stage(i),
        kind: get.kind(i),
        format: get.format(i),
        notes: get.notes(i),
        message: get.message(i),
        decision: get.decision(i),
        state: "undecided",
      };
      row.thumbnail =
        data.chroma[i] < 0
          ? ""
          : `thumbs/${row.sha256.slice(0, 2)}/${row.sha256}-${data.chroma[i]}${row.hasView ? "v" : ""}.webp`;
      return row;
    });
  };

  const loadScript = (source) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => {
        script.remove();
        resolve();
      };
      script.onerror = () =>
        reject(new Error(`${source} cannot be loaded: reload the page, or make it again with photochrom review`));
      document.head.append(script);
    });

  const pause = () => new Promise((resolve) => setTimeout(resolve, 30)); // for a paint

  /** Loads the files of a part: the first, so that its rows can be shown, then the others, a few at a time, in order. */
  photochrom.load = async (part, each) => {
    const files = photochrom.about[part];
    let next = 0,
      known = 0;
    const work = async (count) => {
      while (next < count) {
        await loadScript(`data/${files[next++].file}`);
        const before = known;
        while (parts[part][known]) known++;
        if (known > before) each(parts[part].slice(before, known).flat(), known === files.length);
      }
    };
    await work(Math.min(1, files.length));
    await pause();
    await Promise.all(Array.from({length: 4}, () => work(files.length)));
  };

  /** The text with control and format characters escaped, as Photochrom shows names everywhere. */
  photochrom.printable = (text) => text.replace(HIDDEN, (c) => "\\x" + c.codePointAt(0).toString(16).padStart(2, "0"));

  /** The address of a file below the output folder. */
  photochrom.address = (path) => "../" + path.split("/").map(encodeURIComponent).join("/");
  photochrom.copy = (row) => photochrom.address(row.output || `images/${row.key}`);
  photochrom.full = (row) =>
    row.hasView ? `views/${row.sha256.slice(0, 2)}/${row.sha256}.webp` : photochrom.copy(row);

  /** Makes an element: properties, then children (texts or elements). */
  photochrom.element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  photochrom.by = (id) => document.getElementById(id);
})();
