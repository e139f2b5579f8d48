// The rows that fit, and all that is shown of them.
"use strict";
(() => {
  const {by, element, store, filters, grid, single, others, view} = photochrom;
  const PAGE = 200;
  const rows = [];
  const byKey = new Map();
  const counts = Object.fromEntries(Object.keys(grid.STATES).map((state) => [state, 0]));
  // All rows that fit; fixed until the filters are applied again, so that pages stay while pictures are decided.
  let list = [];
  let othersList = [];
  let shown = [];
  let isLoaded = false;
  let isOutdated = false;
  let isPlanned = false;

  const number = (value) => value.toLocaleString();
  const onPage = (all) => all.slice(view.page * PAGE, (view.page + 1) * PAGE);

  const renderStates = () => {
    const isRare = (state) => ["conflict", "stale"].includes(state) && !counts[state] && view.state !== state;
    const buttons = ["", ...Object.keys(grid.STATES)]
      .filter((state) => !isRare(state))
      .map((state) => {
        const words = state ? `${grid.SIGNS[state]} ${grid.STATES[state]} `.trimStart() : "all ";
        const count = element("span", {className: "count"}, number(state ? counts[state] : rows.length));
        const button = element("button", {type: "button", ariaPressed: String(view.state === state)}, words, count);
        button.dataset.state = state;
        return button;
      });
    const focused = document.activeElement?.closest?.("#states") ? document.activeElement.dataset.state : null;
    by("states").replaceChildren(...buttons);
    if (focused !== null) buttons.find((button) => button.dataset.state === focused)?.focus();
    by("again").hidden = !(isOutdated && view.state);
  };

  const renderStore = () => {
    by("export").textContent = store.size ? `Export ${number(store.size)} decisions` : "Export decisions";
    by("undo").disabled = by("undo-single").disabled = !store.canUndo;
  };

  const renderPagers = () => {
    for (const pager of document.querySelectorAll(`[data-pager=${view.part}]`)) {
      const [back, next] = pager.querySelectorAll("button");
      const input = pager.querySelector("input");
      input.value = view.page + 1;
      input.max = page.count;
      pager.querySelector(".of").textContent = `of ${number(page.count)}`;
      back.disabled = view.page === 0;
      next.disabled = view.page >= page.count - 1;
    }
  };

  const renderTotals = () => {
    const {listed, done, skipped, failed, gone} = photochrom.about.totals;
    const total = photochrom.about.pictures.reduce((sum, one) => sum + one.count, 0);
    const parts = [
      `${number(listed)} inputs: ${number(done)} done, ${number(skipped)} skipped, ${number(failed)} failed`,
      gone && `; ${number(gone)} no longer in the input`,
      !isLoaded && `. Loading ${number(rows.length)} of ${number(total)} …`,
    ];
    by("totals").textContent = parts.filter(Boolean).join("");
  };

  const renderItem = (row) => {
    const place = list.indexOf(row);
    single.show(row, place < 0 ? "" : `${number(place + 1)} of ${number(list.length)}`, list[place + 1]);
    by("previous").disabled = place <= 0;
    by("next").disabled = place < 0 || place >= list.length - 1;
    const focused = document.activeElement;
    if (!by("single").contains(focused) || focused.disabled) by("name").focus();
  };

  const renderGrid = (current) => {
    const wanted = onPage(list);
    const isSame = wanted.length && wanted.length === shown.length && wanted.every((row, i) => row === shown[i]);
    if (!isSame) grid.show((shown = wanted));
    if (current) grid.chooseKey(current.key);
    renderStates();
  };

  const page = (photochrom.page = {
    byKey,

    get list() {
      return list;
    },
    get count() {
      return Math.max(1, Math.ceil((view.part === "others" ? othersList : list).length / PAGE));
    },
    numberOf: (row) => Math.floor(list.indexOf(row) / PAGE),

    say(text) {
      by("status").textContent = text;
    },
    warn(text) {
      by("warning").textContent = text;
      by("warning").hidden = !text;
    },

    /** Takes rows that were loaded: shows the first of them at once, and the rest when all are here. */
    add(found, isLast) {
      for (const row of found) {
        row.state = store.state(row);
        counts[row.state]++;
        rows.push(row);
        byKey.set(row.key, row);
      }
      isLoaded ||= isLast;
      renderTotals();
      if (rows.length > found.length && !isLast) {
        renderStates(); // the first page stays as it is
        return;
      }
      if (isLast) {
        filters.offer(rows, photochrom.about.words);
        view.read();
      }
      const current = document.activeElement?.closest("#grid") ? grid.row : null;
      page.refilter();
      page.render();
      if (current) grid.chooseKey(current.key);
      document.body.dataset.loaded = isLast ? "all" : "first";
    },

    /** Takes a changed decision into account. */
    change(key) {
      const row = byKey.get(key);
      if (!row) return;
      const state = store.state(row);
      if (state !== row.state) {
        counts[row.state]--;
        counts[state]++;
        row.state = state;
        isOutdated = true;
      }
      grid.update(key);
      if (single.row === row) single.update();
      if (isPlanned) return;
      isPlanned = true; // once for many decisions
      queueMicrotask(() => {
        isPlanned = false;
        renderStates();
        renderStore();
      });
    },

    refilter() {
      list = filters.apply(rows, view.state);
      othersList = others.list(view.reason, view.find);
      isOutdated = false;
      const isFiltered = Object.keys(filters.read()).length > 0;
      by("filtered").textContent = isFiltered ? `(${number(list.length)} of ${number(rows.length)} pictures)` : "";
    },

    render() {
      if (isLoaded) view.page = Math.min(view.page, page.count - 1);
      const row = view.part === "pictures" ? byKey.get(view.item) : undefined;
      const before = single.row;
      by("pictures").hidden = view.part !== "pictures" || Boolean(row);
      by("others").hidden = view.part !== "others";
      by("show-pictures").ariaCurrent = view.part === "pictures" ? "page" : "false";
      by("show-others").ariaCurrent = view.part === "others" ? "page" : "false";
      document.body.classList.toggle("one", Boolean(row));
      if (row) renderItem(row);
      else single.hide();
      if (view.part === "others") {
        others.offer(view.reason);
        others.show(onPage(othersList));
      } else if (!row) {
        renderGrid(before);
      }
      renderStore();
      renderPagers();
    },

    /** Shows something else. */
    go(changes, {isStep = false, isFiltered = false} = {}) {
      Object.assign(view, changes);
      if (isFiltered) page.refilter();
      view.write(isStep);
      page.render();
    },
  });
})();
