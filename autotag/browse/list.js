"use strict";

const PAGE = 50, AROUND = 6;

/** A list of any length, of which the page holds only the rows in sight; it fetches others when they come. */
class List {
  constructor(box, make) {
    Object.assign(this, { box, make, space: box.firstElementChild, rows: new Map(), shown: new Map() });
    Object.assign(this, { total: 0, current: -1, changed: () => {} });
    box.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => {
      const height = parseFloat(getComputedStyle(box).getPropertyValue("--row"));
      const first = this.height ? box.scrollTop / this.height : 0;
      this.height = height;
      this.show();
      box.scrollTop = first * height;
    }).observe(box);
    this.height = parseFloat(getComputedStyle(box).getPropertyValue("--row"));
  }

  /** Show other rows: `fetch(first, count)` promises some of them, of which the first are here. */
  fill({ total, rows }, fetch) {
    Object.assign(this, { total, fetch, rows: new Map(rows.entries()), pending: new Set(), current: -1 });
    this.shown.forEach(element => element.remove());
    this.shown.clear();
    this.box.removeAttribute("aria-activedescendant");
    this.space.style.height = `${total * this.height}px`;
    this.box.scrollTop = 0;
    this.show();
  }

  show() {
    const { scrollTop, clientHeight } = this.box, end = Math.ceil((scrollTop + clientHeight) / this.height) + AROUND;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - AROUND), last = Math.min(this.total, end);
    this.space.style.height = `${this.total * this.height}px`;
    for (const [index, element] of this.shown) {
      if (index < first || index >= last) {
        element.remove();
        this.shown.delete(index);
      }
    }
    const added = document.createDocumentFragment();
    for (let index = first; index < last; index++) {
      if (!this.rows.has(index)) this.load(Math.floor(index / PAGE));
      else if (!this.shown.has(index)) added.append(this.draw(index));
      if (this.shown.has(index)) this.shown.get(index).style.transform = `translateY(${index * this.height}px)`;
    }
    this.box.append(added);
  }

  draw(index) {
    const element = this.make(this.rows.get(index), index);
    element.id = `row-${index}`;
    element.role = "option";
    element.ariaSelected = index === this.current;
    element.ariaSetSize = this.total;
    element.ariaPosInSet = index + 1;
    this.shown.set(index, element);
    return element;
  }

  /** Draw the rows again that are in sight. */
  again() {
    this.shown.forEach(element => element.remove());
    this.shown.clear();
    this.show();
  }

  async load(page) {
    const { pending } = this, first = page * PAGE;
    if (pending.has(page)) return;
    pending.add(page);
    const found = await this.fetch(first, PAGE).catch(() => null);
    if (pending !== this.pending) return; // the list shows something else by now
    if (!found) return pending.delete(page);
    found.rows.forEach((row, at) => this.rows.set(first + at, row));
    this.show();
    this.changed();
  }

  /** Make a row the current one, and bring it into sight. */
  move(to) {
    if (!this.total) return;
    this.current = Math.min(Math.max(to, 0), this.total - 1);
    const top = this.current * this.height, { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    if (top + this.height > scrollTop + clientHeight) this.box.scrollTop = top + this.height - clientHeight;
    this.show();
    this.shown.forEach((element, index) => { element.ariaSelected = index === this.current; });
    this.box.setAttribute("aria-activedescendant", `row-${this.current}`);
    this.changed();
  }

  /** Move as a key says; whether it says so. */
  press(key) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(key in steps)) return false;
    this.move(Math.max(this.current, key === "ArrowDown" ? -1 : 0) + steps[key]);
    return true;
  }

  get row() { return this.rows.get(this.current); }
}
