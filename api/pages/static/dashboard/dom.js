// Elements made of text only: nothing that comes from the router is ever read as markup.

/** An element with attributes and children; a text child stays text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return made;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

export const byId = (id) => document.getElementById(id);

/** Sets a text only where it differs, so that nothing flickers and no selection is lost. */
export function setText(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

/**
 * Keeps one row for each item, in their order. Rows stay as long as their item does; `make(item)` gives a row,
 * `update(row, item)` writes what has changed.
 */
export class Rows {
  constructor(parent, make, update) {
    this.parent = parent;
    this.make = make;
    this.update = update;
    this.of = new Map();
  }

  show(items, keyOf) {
    const kept = new Set();
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let row = this.of.get(key);
      if (!row) {
        row = this.make(item);
        this.of.set(key, row);
      }
      kept.add(key);
      this.update(row, item);
      if (row === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row, place);
    }
    for (const [key, row] of this.of) {
      if (!kept.has(key)) {
        row.remove();
        this.of.delete(key);
      }
    }
  }
}
