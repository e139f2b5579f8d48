// The page: what is shown, as its address states it, and what keys and buttons do.
"use strict";
(() => {
  const {by, element, printable, store, filters, grid, single, others} = photochrom;
  const PAGE = 200;
  const about = photochrom.about;
  const rows = [], byKey = new Map();
  const counts = Object.fromEntries(Object.keys(grid.STATES).map((state) => [state, 0]));
  let list = [], othersList = [];  // all rows that fit; fixed until the filters are applied again
  let view = {part: "pictures", page: 0, state: "", item: "", reason: "", find: ""};
  let isLoaded = false, isOutdated = false, address = "";

  const say = (text) => { by("status").textContent = text; };
  const warn = (text) => { by("warning").textContent = text; by("warning").hidden = false; };
  const number = (value) => value.toLocaleString();
  const reviewer = () => by("reviewer").value.trim();

  // The address: #part=others&page=2&sort=chroma&item=KEY

  const readAddress = () => {
    const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    view = {
      part: found.part === "others" ? "others" : "pictures", page: Math.max(0, (parseInt(found.page, 10) || 1) - 1),
      state: found.state in grid.STATES ? found.state : "", item: found.item ?? "", reason: found.why ?? "", find: found.find ?? "",
    };
    filters.write(found);
    by("others-text").value = view.find;
  };

  const writeAddress = (isStep = false) => {
    const values = {
      ...(view.part === "others" && {part: "others"}), ...(view.page && {page: view.page + 1}), ...(view.state && {state: view.state}),
      ...(view.reason && {why: view.reason}), ...(view.find && {find: view.find}), ...filters.read(), ...(view.item && {item: view.item}),
    };
    const text = "#" + new URLSearchParams(values);
    if (isStep) location.hash = text; else location.replace(text);
    address = location.hash;
  };

  const go = (changes, isStep) => {
    view = {...view, ...changes};
    writeAddress(isStep);
    render();
  };

  // Showing

  const pages = () => Math.max(1, Math.ceil((view.part === "others" ? othersList : list).length / PAGE));
  const onPage = (all) => all.slice(view.page * PAGE, (view.page + 1) * PAGE);

  const refilter = () => {
    list = filters.apply(rows, view.state);
    isOutdated = false;
    const active = Object.keys(filters.read()).length;
    by("filtered").textContent = active ? `(${number(list.length)} of ${number(rows.length)} pictures)` : "";
  };

  const renderStates = () => {
    const buttons = ["", ...Object.keys(grid.STATES)].filter((state) => !["conflict", "stale"].includes(state) || counts[state] || view.state === state)
      .map((state) => {
        const count = element("span", {className: "count"}, number(state ? counts[state] : rows.length));
        const button = element("button", {type: "button", ariaPressed: String(view.state === state)}, state ? `${grid.SIGNS[state]} ${grid.STATES[state]} `.trimStart() : "all ", count);
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
    for (const pager of document.querySelectorAll(".pager")) {
      if (pager.dataset.pager !== view.part) continue;
      pager.querySelector("input").value = view.page + 1;
      pager.querySelector("input").max = pages();
      pager.querySelector(".of").textContent = `of ${number(pages())}`;
      const [back, next] = pager.querySelectorAll("button");
      back.disabled = view.page === 0;
      next.disabled = view.page >= pages() - 1;
    }
  };

  const renderTotals = () => {
    const {listed, done, skipped, failed, gone} = about.totals;
    const total = about.pictures.reduce((sum, one) => sum + one.count, 0);
    by("totals").textContent = `${number(listed)} inputs: ${number(done)} done, ${number(skipped)} skipped, ${number(failed)} failed`
      + (gone ? `; ${number(gone)} no longer in the input` : "") + (isLoaded ? "" : `. Loading ${number(rows.length)} of ${number(total)} …`);
  };

  const renderItem = () => {
    const row = byKey.get(view.item), place = list.indexOf(row);
    single.show(row, place < 0 ? "" : `${number(place + 1)} of ${number(list.length)}`, list[place + 1]);
    by("previous").disabled = place <= 0;
    by("next").disabled = place < 0 || place >= list.length - 1;
    if (!by("single").contains(document.activeElement) || document.activeElement.disabled) by("name").focus();
  };

  let shown = [];
  const render = () => {
    view.page = Math.min(view.page, isLoaded ? pages() - 1 : view.page);
    const isSingle = view.part === "pictures" && byKey.has(view.item), wasSingle = single.isOpen ? single.row : null;
    by("pictures").hidden = view.part !== "pictures" || isSingle;
    by("others").hidden = view.part !== "others";
    by("show-pictures").ariaCurrent = view.part === "pictures" ? "page" : "false";
    by("show-others").ariaCurrent = view.part === "others" ? "page" : "false";
    document.body.classList.toggle("one", isSingle);
    if (isSingle) renderItem(); else single.hide();
    if (view.part === "others") {
      others.offer(view.reason);
      others.show(onPage(othersList));
    } else if (!isSingle) {
      const wanted = onPage(list);
      if (wanted.length !== shown.length || wanted.some((row, i) => row !== shown[i]) || !wanted.length) {
        grid.show(shown = wanted);
      }
      if (wasSingle) grid.chooseKey(wasSingle.key);
      renderStates();
    }
    renderStore();
    renderPagers();
  };

  const turn = (step, isAtEnd = false) => {
    const page = view.page + step;
    if (page < 0 || page >= pages()) return false;
    go({page, item: ""});
    scrollTo(0, 0);
    if (view.part === "pictures") grid.choose(isAtEnd ? grid.length - 1 : 0);
    say(`Page ${page + 1} of ${pages()}`);
    return true;
  };

  // Acting

  const open = (row) => row && go({item: row.key}, !single.isOpen);
  const close = () => {
    const place = list.indexOf(single.row);
    go({item: "", ...(place >= 0 && {page: Math.floor(place / PAGE)})});
  };
  const step = (by) => {
    const next = list[list.indexOf(single.row) + by];
    if (next) open(next); else say(by > 0 ? "This is the last picture" : "This is the first picture");
    return Boolean(next);
  };
  const moveCard = (x, y) => grid.move(x, y) || turn(x, x < 0) || say(x > 0 ? "This is the last picture" : "This is the first picture");

  const decide = (row, decision, isNext) => {
    if (!row) return;
    const reason = single.isOpen ? by("note").value.trim() : "";
    store.decide([row], decision, reason, reviewer());
    if (reason) remember(reason);
    say(`${grid.STATES[decision]}: ${printable(row.name)}`);
    if (isNext) single.isOpen ? step(1) : moveCard(1, 0);
  };

  const remember = (reason) => {
    const known = [...by("notes").options].map((option) => option.value).filter((value) => value !== reason);
    by("notes").replaceChildren(...[reason, ...known].slice(0, 20).map((value) => element("option", {value})));
  };

  const undo = () => {
    const keys = store.undo();
    if (!keys.length) { say("Nothing to undo"); return; }
    const row = byKey.get(keys[0]);
    say(keys.length === 1 ? `Undone: ${row ? printable(row.name) : ""}` : `Undone: ${keys.length} decisions`);
    if (!row) return;
    if (single.isOpen) open(row);
    else if (!grid.chooseKey(row.key)) {
      const place = list.indexOf(row);
      if (place >= 0) { go({page: Math.floor(place / PAGE)}); grid.chooseKey(row.key); }
    }
  };

  const acceptRest = () => {
    const rest = grid.rows.filter((row) => row.state === "undecided");
    if (rest.length) store.decide(rest, "accept", "", reviewer());
    say(`${rest.length} accepted; Undo takes it back`);
  };

  const toggleAllGray = () => {
    const isGray = by("grid").classList.toggle("gray");
    by("all-gray").ariaPressed = String(isGray);
    say(isGray ? "All pictures are gray" : "All pictures are coloured");
  };

  const toggleGray = () => say((single.isOpen ? single.toggleGray() : grid.toggleGray()) ? "gray" : "coloured");

  const changed = (key) => {
    const row = byKey.get(key);
    if (!row) return;
    const state = store.state(row);
    if (state !== row.state) {
      counts[row.state]--;
      counts[row.state = state]++;
      isOutdated = true;
    }
    grid.update(key);
    if (single.row === row) single.update();
    if (!changed.isPlanned) {  // once for many decisions
      changed.isPlanned = true;
      queueMicrotask(() => { changed.isPlanned = false; renderStates(); renderStore(); });
    }
  };

  // Keys

  const LETTERS = {
    a: () => decide(single.row ?? grid.row, "accept", true), r: () => decide(single.row ?? grid.row, "reject", true),
    l: () => decide(single.row ?? grid.row, "later", true), u: undo, g: () => single.isOpen ? toggleGray() : toggleAllGray(),
    n: () => turn(1), p: () => turn(-1), e: () => single.isOpen && by("note").focus(), z: () => single.isOpen && single.toggleActual(),
    "?": () => by("help").showModal(),
  };
  const OF_ONE = {ArrowRight: () => step(1), ArrowLeft: () => step(-1), Escape: close, " ": toggleGray};
  const OF_GRID = {
    ArrowRight: () => moveCard(1, 0), ArrowLeft: () => moveCard(-1, 0), ArrowDown: () => grid.move(0, 1), ArrowUp: () => grid.move(0, -1),
    Home: () => grid.choose(0), End: () => grid.choose(grid.length - 1), " ": toggleGray,
  };

  const isTyping = (target) => target.matches("select, textarea, input:not([type=range], [type=checkbox])");

  const onKey = (event) => {
    if (view.part !== "pictures" || document.querySelector("dialog[open]")) return;
    const {key, target} = event;
    if (isTyping(target)) {
      if (key === "Escape" || (key === "Enter" && target.id === "note")) { by("name").focus(); event.preventDefault(); }
      return;
    }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "z") { undo(); event.preventDefault(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.type === "range" && key.startsWith("Arrow")) return;
    const isButton = target.matches("button, summary, a") && !target.matches(".open");
    if (isButton && key === " ") return;
    const inGrid = target.closest("#grid") || target === document.body;
    const call = (single.isOpen ? OF_ONE[key] : inGrid && OF_GRID[key]) || (by("letters").checked && LETTERS[key.toLowerCase()]);
    if (call) { event.preventDefault(); call(); }
  };

  // Wiring

  const makePagers = () => {
    for (const pager of document.querySelectorAll(".pager")) {
      const back = element("button", {type: "button", ariaLabel: "Previous page"}, "‹"), next = element("button", {type: "button", ariaLabel: "Next page"}, "›");
      const input = element("input", {type: "number", min: 1, ariaLabel: "Page"});
      back.onclick = () => turn(-1);
      next.onclick = () => turn(1);
      input.onchange = () => turn(Math.min(pages(), Math.max(1, Math.round(+input.value) || 1)) - 1 - view.page) || (input.value = view.page + 1);
      pager.append(back, element("label", {}, "page ", input), element("span", {className: "of"}), next);
    }
  };

  const click = (id, call) => by(id).addEventListener("click", call);
  const wire = () => {
    document.addEventListener("keydown", onKey);
    addEventListener("hashchange", () => { if (location.hash !== address) { readAddress(); address = location.hash; refilter(); refind(); render(); } });
    click("show-pictures", () => go({part: "pictures", page: 0, item: ""}));
    click("show-others", () => go({part: "others", page: 0, item: ""}));
    click("grid", (event) => {
      const card = event.target.closest("li"), button = event.target.closest("button");
      if (!card || !button) return;
      grid.choose(+card.dataset.place, false);
      if (button.dataset.decision) decide(grid.row, button.dataset.decision, false); else open(grid.row);
    });
    by("grid").addEventListener("focusin", (event) => {
      const card = event.target.closest(".open")?.parentElement;
      if (card) grid.choose(+card.dataset.place, false);
    });
    // A click takes no focus from the picture, so that the keys go on working.
    for (const id of ["grid", "verdict"]) by(id).addEventListener("mousedown", (event) => { if (event.target.closest("[data-decision], #verdict button")) event.preventDefault(); });
    click("verdict", (event) => { const {decision} = event.target.dataset; if (decision) decide(single.row, decision, true); });
    click("states", (event) => {
      const button = event.target.closest("button");
      if (button) { view = {...view, state: button.dataset.state, page: 0}; refilter(); go({}); }
    });
    for (const name of filters.FIELDS) by(name).addEventListener("input", () => { refilter(); go({page: 0}); });
    click("reset", () => { filters.write({}); view = {...view, state: "", page: 0}; refilter(); go({}); });
    click("again", () => { refilter(); go({page: 0}); });
    click("all-gray", toggleAllGray);
    click("accept-rest", acceptRest);
    click("undo", undo);
    click("undo-single", undo);
    click("back", close);
    click("previous", () => step(-1));
    click("next", () => step(1));
    click("compare", toggleGray);
    click("actual", () => single.toggleActual());
    click("show-help", () => by("help").showModal());
    click("reasons", (event) => { const button = event.target.closest("button"); if (button) { view = {...view, reason: button.dataset.reason, page: 0}; refind(); go({}); } });
    by("others-text").addEventListener("input", () => { view = {...view, find: by("others-text").value, page: 0}; refind(); go({}); });
    click("export", () => {
      if (!reviewer()) { by("reviewer").focus(); say("Enter your name first"); warn("Enter your name beside “Reviewer” first: the file states who decided."); return; }
      by("warning").hidden = true;
      photochrom.exportDecisions(about.title, reviewer());
      say(`${store.size} decisions exported`);
    });
    click("import", () => by("files").click());
    by("files").addEventListener("change", async () => {
      await photochrom.importDecisions([...by("files").files], (key) => byKey.get(key));
      by("files").value = "";
    });
    keepSetting("reviewer", "value", "");
    keepSetting("letters", "checked", true);
  };

  /** A field whose value the browser keeps for all review pages. */
  const keepSetting = (id, property, otherwise) => {
    const name = `photochrom:setting:${id}`;
    try { by(id)[property] = JSON.parse(localStorage.getItem(name)) ?? otherwise; } catch (error) { by(id)[property] = otherwise; }
    by(id).addEventListener("input", () => { try { localStorage.setItem(name, JSON.stringify(by(id)[property])); } catch (error) { /* as without it */ } });
  };

  const refind = () => { othersList = others.list(view.reason, view.find); };

  const add = (found, isLast) => {
    for (const row of found) {
      row.state = store.state(row);
      counts[row.state]++;
      rows.push(row);
      byKey.set(row.key, row);
    }
    isLoaded ||= isLast;
    renderTotals();
    if (rows.length > found.length && !isLast) { renderStates(); return; }  // the first page stays as it is
    if (isLast) { filters.offer(rows, about.words); readAddress(); }
    const before = document.activeElement?.closest("#grid") ? grid.row : null;
    refilter();
    render();
    if (before) grid.chooseKey(before.key);
    document.body.dataset.loaded = isLast ? "all" : "first";
  };

  const start = async () => {
    makePagers();
    if (!about) { warn("data/index.js cannot be loaded: make the page again with photochrom review."); return; }
    const count = (files) => number(files.reduce((sum, one) => sum + one.count, 0));
    document.title = `Review of ${about.title}`;
    by("title").textContent = about.title;
    by("count-pictures").textContent = count(about.pictures);
    by("count-others").textContent = count(about.others);
    store.open(changed, warn);
    wire();
    readAddress();
    renderTotals();
    if (!about.pictures.length) add([], true);
    await photochrom.load("pictures", add);
    await photochrom.load("others", (found) => others.add(found));
    refind();
    render();
    document.body.dataset.loaded = "everything";
  };

  start().catch((error) => warn(error.message));
})();
