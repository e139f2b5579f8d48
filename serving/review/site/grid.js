// The grid: a page of cards. One card is the current one (roving tabindex), the keys act on it.
"use strict";
(() => {
  const {by, element, printable} = photochrom;
  const STATES = {
    undecided: "undecided",
    accept: "accepted",
    reject: "rejected",
    later: "later",
    conflict: "conflict",
    stale: "stale",
  };
  const SIGNS = {undecided: "", accept: "✓", reject: "✕", later: "…", conflict: "≠", stale: "↻"};
  let cards = [],
    current = 0;

  const describe = (row) => `${printable(row.name)}, confidence ${row.confidence.toFixed(2)}, ${STATES[row.state]}`;

  const makeCard = (row, place) => {
    const picture = row.thumbnail
      ? element("img", {src: row.thumbnail, alt: "", loading: "lazy", decoding: "async"})
      : element("span", {className: "missing"}, row.problem || "no thumbnail");
    const open = element(
      "button",
      {type: "button", className: "open", tabIndex: -1},
      element("span", {className: "picture"}, picture),
      element("bdi", {className: "name"}, printable(row.name)),
      element("span", {className: "meta"}, ""),
    );
    const actions = element(
      "span",
      {className: "actions"},
      ...["accept", "reject", "later"].map((decision) =>
        element(
          "button",
          {
            type: "button",
            tabIndex: -1,
            className: decision,
            title: decision,
            ariaLabel: `${decision} ${printable(row.name)}`,
          },
          SIGNS[decision],
        ),
      ),
    );
    [...actions.children].forEach((button, i) => {
      button.dataset.decision = ["accept", "reject", "later"][i];
    });
    const card = element("li", {}, open, actions);
    card.dataset.place = place;
    return card;
  };

  const update = (card, row) => {
    card.dataset.state = row.state;
    const open = card.firstChild;
    open.ariaLabel = describe(row);
    open.lastChild.textContent = `${row.confidence.toFixed(2)}${SIGNS[row.state] && ` · ${SIGNS[row.state]} ${STATES[row.state]}`}`;
  };

  const columns = () => {
    const top = cards[0]?.card.offsetTop;
    const first = cards.findIndex(({card}) => card.offsetTop !== top);
    return first < 0 ? cards.length : first;
  };

  const grid = (photochrom.grid = {
    STATES,
    SIGNS,

    show(rows) {
      cards = rows.map((row, place) => ({row, card: makeCard(row, place)}));
      for (const {row, card} of cards) update(card, row);
      by("grid").replaceChildren(...cards.map(({card}) => card));
      by("none").hidden = rows.length > 0;
      grid.choose(0, false);
    },

    update(key) {
      for (const {row, card} of cards) if (row.key === key) update(card, row);
    },

    get row() {
      return cards[current]?.row;
    },
    get rows() {
      return cards.map(({row}) => row);
    },

    /** Makes a card the current one; returns false if it is not on this page. */
    choose(place, focus = true) {
      if (!cards[place]) return false;
      if (cards[current]) cards[current].card.firstChild.tabIndex = -1;
      current = place;
      const open = cards[place].card.firstChild;
      open.tabIndex = 0;
      if (focus) open.focus();
      return true;
    },
    chooseKey: (key, focus) =>
      grid.choose(
        cards.findIndex(({row}) => row.key === key),
        focus,
      ),

    /** Moves by cards (x) or lines (y); returns false at the end of the page. */
    move(x, y) {
      if (grid.choose(current + x + y * columns())) return true;
      return y ? true : false;
    },

    toggleGray() {
      return cards[current]?.card.classList.toggle("gray");
    },
    get length() {
      return cards.length;
    },
  });
})();
