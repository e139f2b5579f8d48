// <photo-compare>: a picture whose left part is gray, up to a line that a range input moves: by pointer, touch or keys.
"use strict";
(() => {
  class PhotoCompare extends HTMLElement {
    connectedCallback() {
      if (this.range) return;
      const {element} = photochrom;
      this.after = element("img", {alt: "", className: "after", draggable: false});
      this.before = element("img", {alt: "", className: "before", draggable: false});
      this.range = element("input", {
        type: "range",
        min: 0,
        max: 1000,
        value: 500,
        ariaLabel: "Line between gray and coloured",
      });
      const pictures = element(
        "div",
        {className: "both"},
        this.after,
        this.before,
        this.range,
        element("span", {className: "line"}),
      );
      this.append(pictures);
      this.range.addEventListener("input", () => this.move(+this.range.value));
      this.range.addEventListener("pointerup", () => this.range.blur()); // arrow keys then go to the next picture
      this.move(500);
    }

    /** Shows a picture: first a small one, then the full one once it is loaded. */
    show({small, full, alt, width, height, onFail}) {
      const ratio = (w, h) => this.style.setProperty("--ratio", String(w / h || 1));
      this.wanted = full;
      this.after.alt = alt;
      this.set(small || full);
      if (width && height) ratio(width, height);
      const loader = new Image();
      loader.onload = () => {
        if (this.wanted !== full) return;
        ratio(loader.naturalWidth, loader.naturalHeight);
        this.style.setProperty("--natural", `${loader.naturalWidth}px`);
        this.set(full);
      };
      loader.onerror = () => {
        if (this.wanted === full) onFail();
      };
      loader.src = full;
    }

    set(address) {
      this.after.src = address;
      this.before.src = address;
    }

    /** Moves the line: 0 all coloured, 1000 all gray. */
    move(at) {
      this.range.value = at;
      this.range.ariaValueText = `${Math.round(at / 10)}% gray`;
      this.style.setProperty("--at", `${at / 10}%`);
    }

    /** All gray, or all coloured. Returns whether it is gray. */
    toggle() {
      const isGray = +this.range.value === 1000;
      this.move(isGray ? 0 : 1000);
      return !isGray;
    }
  }
  customElements.define("photo-compare", PhotoCompare);
})();
