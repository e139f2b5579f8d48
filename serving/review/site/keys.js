// The keyboard. Arrows and Space act on the current picture; letters can be switched off (WCAG 2.1.4).
"use strict";
(() => {
  const {by, grid, single, view, actions} = photochrom;
  const current = () => single.row ?? grid.row;

  const LETTERS = {
    a: () => actions.decide(current(), "accept", true),
    r: () => actions.decide(current(), "reject", true),
    l: () => actions.decide(current(), "later", true),
    u: actions.undo,
    g: () => (single.isOpen ? actions.toggleGray() : actions.toggleAllGray()),
    n: () => actions.turn(1),
    p: () => actions.turn(-1),
    e: () => single.isOpen && by("note").focus(),
    z: () => single.isOpen && single.toggleActual(),
    "?": () => by("help").showModal(),
  };
  const OF_ONE = {
    ArrowRight: () => actions.step(1),
    ArrowLeft: () => actions.step(-1),
    Escape: actions.close,
    " ": actions.toggleGray,
  };
  const OF_GRID = {
    ArrowRight: () => actions.moveCard(1, 0),
    ArrowLeft: () => actions.moveCard(-1, 0),
    ArrowDown: () => grid.move(0, 1),
    ArrowUp: () => grid.move(0, -1),
    Home: () => grid.choose(0),
    End: () => grid.choose(grid.length - 1),
    " ": actions.toggleGray,
  };

  const isTyping = (target) => target.matches("select, textarea, input:not([type=range], [type=checkbox])");
  /** Whether the key is one of the element that has the focus: Space presses a button, arrows move the line. */
  const isOwn = (key, target) =>
    (key === " " && target.matches("button:not(.open), summary, a")) ||
    (target.type === "range" && key.startsWith("Arrow"));

  const choose = (key, target) => {
    const inGrid = target.closest("#grid") || target === document.body;
    const call = single.isOpen ? OF_ONE[key] : inGrid && OF_GRID[key];
    return call || (by("letters").checked && LETTERS[key.toLowerCase()]);
  };

  document.addEventListener("keydown", (event) => {
    const {key, target} = event;
    if (!photochrom.about || view.part !== "pictures" || document.querySelector("dialog[open]")) return;
    if (isTyping(target)) {
      if (key !== "Escape" && !(key === "Enter" && target.id === "note")) return;
      event.preventDefault();
      (single.isOpen ? by("name") : target).focus();
      if (!single.isOpen) target.blur();
      return;
    }
    const isUndo = (event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "z";
    if (!isUndo && (event.ctrlKey || event.metaKey || event.altKey || isOwn(key, target))) return;
    const call = isUndo ? actions.undo : choose(key, target);
    if (!call) return;
    event.preventDefault();
    call();
  });
})();
