// Loads the rows, and connects buttons and fields.
"use strict";
(() => {
  const {about, by, element, store, filters, grid, single, others, view, page, actions} = photochrom;
  const click = (id, call) => by(id).addEventListener("click", call);
  /** Calls with the button below an element that was clicked. */
  const press = (id, call) =>
    click(id, (event) => event.target.closest("button") && call(event.target.closest("button")));

  const makePagers = () => {
    for (const pager of document.querySelectorAll(".pager")) {
      const back = element("button", {type: "button", ariaLabel: "Previous page"}, "‹");
      const next = element("button", {type: "button", ariaLabel: "Next page"}, "›");
      const input = element("input", {type: "number", min: 1, ariaLabel: "Page"});
      back.addEventListener("click", () => actions.turn(-1));
      next.addEventListener("click", () => actions.turn(1));
      input.addEventListener("change", () => {
        const wanted = Math.min(page.count, Math.max(1, Math.round(+input.value) || 1));
        if (!actions.turn(wanted - 1 - view.page)) input.value = view.page + 1;
      });
      pager.append(back, element("label", {}, "page ", input), element("span", {className: "of"}), next);
    }
  };

  const connectGrid = () => {
    press("grid", (button) => {
      grid.choose(+button.closest("li").dataset.place, false);
      if (button.dataset.decision) actions.decide(grid.row, button.dataset.decision, false);
      else actions.open(grid.row);
    });
    by("grid").addEventListener("focusin", (event) => {
      const card = event.target.closest(".open")?.parentElement;
      if (card) grid.choose(+card.dataset.place, false);
    });
    press("states", (button) => page.go({state: button.dataset.state, page: 0}, {isFiltered: true}));
    for (const name of filters.FIELDS) by(name).addEventListener("input", () => page.go({page: 0}, {isFiltered: true}));
    click("reset", () => {
      filters.write({});
      page.go({state: "", page: 0}, {isFiltered: true});
    });
    click("again", () => page.go({page: 0}, {isFiltered: true}));
    click("all-gray", actions.toggleAllGray);
    click("accept-rest", actions.acceptRest);
    click("undo", actions.undo);
  };

  const connectSingle = () => {
    press("verdict", ({dataset}) => dataset.decision && actions.decide(single.row, dataset.decision, true));
    click("undo-single", actions.undo);
    click("back", actions.close);
    click("previous", () => actions.step(-1));
    click("next", () => actions.step(1));
    click("compare", actions.toggleGray);
    click("actual", () => single.toggleActual());
    // A click takes no focus from the picture, so that the keys go on working.
    for (const id of ["grid", "verdict"]) {
      by(id).addEventListener("mousedown", (event) => {
        if (event.target.closest("[data-decision], #verdict button")) event.preventDefault();
      });
    }
  };

  const connectRest = () => {
    click("show-pictures", () => page.go({part: "pictures", page: 0, item: ""}));
    click("show-others", () => page.go({part: "others", page: 0, item: ""}));
    click("show-help", () => by("help").showModal());
    press("reasons", (button) => page.go({reason: button.dataset.reason, page: 0}, {isFiltered: true}));
    by("others-text").addEventListener("input", (event) => {
      page.go({find: event.target.value, page: 0}, {isFiltered: true});
    });
    click("export", actions.exportDecisions);
    click("import", () => by("files").click());
    by("files").addEventListener("change", async () => {
      await photochrom.importDecisions([...by("files").files], (key) => page.byKey.get(key));
      by("files").value = "";
    });
    addEventListener("hashchange", () => {
      if (!view.isForeign) return;
      view.read();
      page.refilter();
      page.render();
    });
  };

  /** A field whose value the browser keeps for all review pages, if it keeps anything. */
  const keep = (id, property) => {
    const name = `photochrom:setting:${id}`;
    const field = by(id);
    const attempt = (call) => {
      try {
        call();
      } catch (error) {
        console.debug(error.message);
      }
    };
    attempt(() => (field[property] = JSON.parse(localStorage.getItem(name)) ?? field[property]));
    field.addEventListener("input", () => attempt(() => localStorage.setItem(name, JSON.stringify(field[property]))));
  };

  const start = async () => {
    if (!about) {
      page.warn("data/index.js cannot be loaded: make the page again with photochrom review.");
      return;
    }
    const count = (files) => files.reduce((sum, one) => sum + one.count, 0).toLocaleString();
    document.title = `Review of ${about.title}`;
    by("title").textContent = about.title;
    by("count-pictures").textContent = count(about.pictures);
    by("count-others").textContent = count(about.others);
    store.open(page.change, page.warn);
    makePagers();
    for (const connect of [connectGrid, connectSingle, connectRest]) connect();
    keep("reviewer", "value");
    keep("letters", "checked");
    view.read();
    if (!about.pictures.length) page.add([], true);
    await photochrom.load("pictures", page.add);
    await photochrom.load("others", others.add);
    page.refilter();
    page.render();
    document.body.dataset.loaded = "everything";
  };

  start().catch((error) => page.warn(error.message));
})();
