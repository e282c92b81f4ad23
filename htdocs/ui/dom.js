// @ts-check

/**
 * Making nodes. Children are nodes or text, never markup: whatever people or the
 * server wrote can only become text.
 *
 * @typedef {Node|string|null|false|undefined} Child
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string|number|boolean|null|undefined>} [attributes] true: present, false and null: absent
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) if (child || child === '') element.append(child);
  return element;
}

/** Strokes on a 24 by 24 grid. */
const ICONS = Object.freeze({
  search: ['M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14Z', 'm16.2 16.2 4 4'],
  close: ['m6 6 12 12', 'M18 6 6 18'],
  back: ['M15 5l-7 7 7 7'],
  down: ['m6 9 6 6 6-6'],
  send: ['M4.5 12 20 4.8 15 20l-3.6-6.4L4.5 12Z', 'M11.4 13.6 20 4.8'],
  clock: ['M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z', 'M12 8v4.4l2.8 1.6'],
  sent: ['m5 12.6 4.6 4.6L19 7.4'],
  read: ['m2 12.6 4.6 4.6L16 7.4', 'm11.2 16.8.4.4L21 7.4'],
  alert: ['M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16Z', 'M12 8v5', 'M12 16h.01'],
  leave: ['M14 5H6v14h8', 'M10.5 12H20', 'm16.5 8.5 3.5 3.5-3.5 3.5'],
  chats: ['M5 5h9.5a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2H9l-4 3.4V14a2 2 0 0 1-1.6-2V7A2 2 0 0 1 5 5Z', 'M19.5 9.5a1.8 1.8 0 0 1 1.1 1.7v4.6a1.9 1.9 0 0 1-1.4 1.8V20l-3-2.4h-4.4'],
});

/**
 * Decoration only: the text beside it, or the label of its button, says the same.
 *
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  for (const stroke of ICONS[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', stroke);
    svg.append(path);
  }
  return svg;
}

/**
 * Makes `parent`'s children those of `items`, in their order. Nodes are kept by
 * key, and only those that are out of place are moved, so that focus, selection,
 * scroll position and transitions survive.
 *
 * @template Item
 * @param {Element} parent  all of its children are ours
 * @param {readonly Item[]} items
 * @param {object} how
 * @param {(item: Item) => string} how.key
 * @param {(item: Item) => HTMLElement} how.create
 * @param {(node: HTMLElement, item: Item) => void} how.update also called for a new node
 */
export function reconcile(parent, items, { key, create, update }) {
  const known = new Map();
  for (const node of /** @type {Iterable<HTMLElement>} */ (parent.children)) known.set(node.dataset.key, node);
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let node = known.get(id);
    known.delete(id);
    if (!node) {
      node = create(item);
      node.dataset.key = id;
    }
    update(node, item);
    if (node === place) place = node.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of known.values()) node.remove();
  if (focused !== document.activeElement && focused instanceof HTMLElement && parent.contains(focused)) focused.focus();
}
