// Export and import of decisions, as files of JSON Lines.
"use strict";
(() => {
  const {by, element, printable, store} = photochrom;
  const MAX_BYTES = 256 * 1024 * 1024,
    MAX_LINES = 100;

  photochrom.exportDecisions = (title, reviewer) => {
    const file = new Blob([store.toLines(reviewer)], {type: "application/jsonl"});
    const safe = (text) => text.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60);
    const day = new Date().toISOString().slice(0, 10);
    const link = element("a", {
      href: URL.createObjectURL(file),
      download: `decisions-${safe(title)}-${safe(reviewer)}-${day}.jsonl`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  /** Merges files, and shows which lines were not taken and where reviewers differ. */
  photochrom.importDecisions = async (files, rowOf) => {
    const texts = [],
      lines = [];
    for (const file of files) {
      if (file.size > MAX_BYTES)
        lines.push(`${printable(file.name)} is larger than ${MAX_BYTES} bytes and was not read`);
      else texts.push({name: printable(file.name), text: await file.text()});
    }
    const {count, bad, keys} = store.merge(texts),
      of = (state) => keys.filter((key) => rowOf(key)?.state === state);
    const unknown = keys.filter((key) => !rowOf(key)).length,
      conflicts = of("conflict"),
      stale = of("stale");
    lines.unshift(`${count.toLocaleString()} decisions on ${keys.length.toLocaleString()} pictures were read`);
    if (unknown) lines.push(`${unknown} of the pictures are not on this page; their decisions are kept`);
    if (stale.length) lines.push(`${stale.length} are about another version of the copy (stale)`);
    if (conflicts.length) lines.push(`${conflicts.length} pictures have decisions that differ (conflict):`);
    lines.push(
      ...conflicts.slice(0, MAX_LINES).map(
        (key) =>
          `${printable(key)}: ${store
            .get(key)
            .map((one) => `${printable(one[3]) || "no name"} ${one[0]}`)
            .join(", ")}`,
      ),
    );
    if (bad.length) lines.push(`${bad.length} lines were not read:`, ...bad.slice(0, MAX_LINES));
    by("report-lines").replaceChildren(...lines.map((line) => element("li", {}, element("bdi", {}, line))));
    by("report").showModal();
  };
})();
