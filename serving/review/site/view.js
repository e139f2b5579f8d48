// What is shown, as the address of the page states it: #part=others&page=2&sort=chroma&item=KEY
"use strict";
(() => {
  const {by, filters, grid} = photochrom;
  let written = "";

  const view = (photochrom.view = {
    part: "pictures", // or others
    page: 0,
    state: "", // of the decision
    item: "", // key of the picture that is open
    reason: "", // of others: status:reason
    find: "", // of others: text

    read() {
      const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
      view.part = found.part === "others" ? "others" : "pictures";
      view.page = Math.max(0, (parseInt(found.page, 10) || 1) - 1);
      view.state = found.state in grid.STATES ? found.state : "";
      view.item = found.item ?? "";
      view.reason = found.why ?? "";
      view.find = found.find ?? "";
      filters.write(found);
      by("others-text").value = view.find;
      written = location.hash;
    },

    /** Writes the address; a step is one that the browser's Back button takes back. */
    write(isStep = false) {
      const values = {
        part: view.part === "others" && "others",
        page: view.page && view.page + 1,
        state: view.state,
        why: view.reason,
        find: view.find,
        ...filters.read(),
        item: view.item,
      };
      const text = "#" + new URLSearchParams(Object.entries(values).filter(([, value]) => value));
      if (isStep) location.hash = text;
      else location.replace(text);
      written = location.hash;
    },

    /** Whether the address is not the one that was written or read last: Back was pressed, or the address edited. */
    get isForeign() {
      return location.hash !== written;
    },
  });
})();
