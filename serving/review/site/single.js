// One picture: gray and coloured at full size, its facts, and the decision.
"use strict";
(() => {
  const {by, element, printable} = photochrom;
  let compare = null,
    row = null;

  const fact = (name, ...values) =>
    values.length && values[0] !== "" ? [element("dt", {}, name), element("dd", {}, ...values)] : [];

  const decisions = () =>
    photochrom.store
      .get(row.key)
      .map(([decision, sha256, reason, reviewer, time]) =>
        element(
          "span",
          {className: "decision"},
          element("bdi", {}, printable(reviewer) || "no name"),
          `: ${decision}, ${time.slice(0, 16).replace("T", " ")}`,
          sha256 === row.sha256 ? "" : ", about another version of the copy",
          reason && ": ",
          element("bdi", {}, printable(reason)),
        ),
      );

  const facts = () => {
    const run = photochrom.about.runs.find((one) => one.run === row.run);
    return [
      ...fact("Decisions", ...decisions()),
      ...fact("In the manifest", row.decision),
      ...fact("Input", element("bdi", {}, printable(row.key))),
      ...fact("Confidence", row.confidence.toFixed(3)),
      ...fact("Chroma", row.chroma < 0 ? "" : `${row.chroma.toFixed(1)} CIE units`),
      ...fact("Size", row.width ? `${row.width} × ${row.height} px, ${printable(row.format)}` : ""),
      ...fact("Kind", row.kind),
      ...fact("Reason", row.reason && (photochrom.about.words[row.reason] ?? row.reason)),
      ...fact("Notes", ...row.notes.map((note) => element("span", {className: "note"}, printable(note)))),
      ...fact("Problem", row.problem),
      ...fact("Run", run ? `${row.run}, ${run.started}, model ${printable(run.model)}` : String(row.run)),
      ...fact(
        "Copy",
        element("a", {href: photochrom.copy(row), target: "_blank", rel: "noopener"}, "open the file"),
        ` SHA-256 ${row.sha256}`,
      ),
    ];
  };

  const single = (photochrom.single = {
    get row() {
      return row;
    },
    get isOpen() {
      return !by("single").hidden;
    },

    show(shown, position, preload) {
      compare ??= by("stage").appendChild(document.createElement("photo-compare"));
      row = shown;
      by("single").hidden = false;
      by("name").replaceChildren(element("bdi", {}, printable(row.name)));
      by("position").textContent = position;
      by("said").textContent = row.hasView
        ? "Browsers do not show the copy itself: this is a picture of at most 2,048 px."
        : "";
      compare.show({
        small: row.thumbnail,
        full: photochrom.full(row),
        alt: `coloured copy of ${printable(row.name)}`,
        width: row.width,
        height: row.height,
        onFail: () => {
          by("said").textContent = "The copy cannot be loaded or shown; this is its thumbnail.";
        },
      });
      by("compare").ariaPressed = String(+compare.range.value === 1000);
      by("note").value = photochrom.store.get(row.key).find((one) => one[1] === row.sha256)?.[2] ?? "";
      single.update();
      if (preload) new Image().src = photochrom.full(preload);
    },

    update() {
      if (!row) return;
      by("facts").replaceChildren(...facts());
      by("single").dataset.state = row.state;
      for (const button of by("verdict").querySelectorAll("[data-decision]"))
        button.ariaPressed = String(button.dataset.decision === row.state);
      if (row.state === "conflict") by("said").textContent = "Reviewers differ; your decision replaces theirs.";
      if (row.state === "stale")
        by("said").textContent = "The decision is about another version of the copy: decide again.";
    },

    hide() {
      by("single").hidden = true;
      row = null;
    },
    toggleGray() {
      const isGray = compare.toggle();
      by("compare").ariaPressed = String(isGray);
      return isGray;
    },
    toggleActual() {
      const isActual = by("stage").classList.toggle("actual");
      by("actual").ariaPressed = String(isActual);
    },
  });
})();
