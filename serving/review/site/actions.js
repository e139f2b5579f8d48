// What buttons and keys do.
"use strict";
(() => {
  const {by, element, printable, store, grid, single, view, page} = photochrom;
  const reviewer = () => by("reviewer").value.trim();

  const remember = (reason) => {
    const known = [...by("notes").options].map((option) => option.value).filter((value) => value !== reason);
    by("notes").replaceChildren(...[reason, ...known].slice(0, 20).map((value) => element("option", {value})));
  };

  const actions = (photochrom.actions = {
    turn(step, isAtEnd = false) {
      const number = view.page + step;
      if (number < 0 || number >= page.count) return false;
      page.go({page: number, item: ""});
      scrollTo(0, 0);
      if (view.part === "pictures") grid.choose(isAtEnd ? grid.length - 1 : 0);
      page.say(`Page ${number + 1} of ${page.count}`);
      return true;
    },

    open(row) {
      if (row) page.go({item: row.key}, {isStep: !single.isOpen});
    },

    close() {
      const number = page.numberOf(single.row);
      page.go({item: "", ...(number >= 0 && {page: number})});
    },

    /** Goes to the next picture (1) or the one before (-1). */
    step(count) {
      const next = page.list[page.list.indexOf(single.row) + count];
      if (next) actions.open(next);
      else page.say(count > 0 ? "This is the last picture" : "This is the first picture");
    },

    moveCard(x, y) {
      if (grid.move(x, y) || actions.turn(x, x < 0)) return;
      page.say(x > 0 ? "This is the last picture" : "This is the first picture");
    },

    decide(row, decision, isNext) {
      if (!row) return;
      const reason = single.isOpen ? by("note").value.trim() : "";
      store.decide([row], decision, reason, reviewer());
      if (reason) remember(reason);
      page.say(`${grid.STATES[decision]}: ${printable(row.name)}`);
      if (!isNext) return;
      if (single.isOpen) actions.step(1);
      else actions.moveCard(1, 0);
    },

    undo() {
      const keys = store.undo();
      const row = page.byKey.get(keys[0]);
      if (keys.length === 1) page.say(`Undone: ${row ? printable(row.name) : ""}`);
      else page.say(keys.length ? `Undone: ${keys.length} decisions` : "Nothing to undo");
      if (!row) return;
      if (single.isOpen) actions.open(row);
      else if (!grid.chooseKey(row.key) && page.numberOf(row) >= 0) {
        page.go({page: page.numberOf(row)});
        grid.chooseKey(row.key);
      }
    },

    acceptRest() {
      const rest = grid.rows.filter((row) => row.state === "undecided");
      if (rest.length) store.decide(rest, "accept", "", reviewer());
      page.say(`${rest.length} accepted; Undo takes it back`);
    },

    toggleGray() {
      page.say((single.isOpen ? single.toggleGray() : grid.toggleGray()) ? "gray" : "coloured");
    },

    toggleAllGray() {
      const isGray = by("grid").classList.toggle("gray");
      by("all-gray").ariaPressed = String(isGray);
      page.say(isGray ? "All pictures are gray" : "All pictures are coloured");
    },

    exportDecisions() {
      if (!reviewer()) {
        by("reviewer").focus();
        page.warn("Enter your name beside “Reviewer” first: the file states who decided.");
        return;
      }
      page.warn("");
      photochrom.exportDecisions(photochrom.about.title, reviewer());
      page.say(`${store.size} decisions exported`);
    },
  });
})();
