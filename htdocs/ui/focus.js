// @ts-check

/**
 * Who works with the keyboard, or listens, is where the focus is. When its place
 * is hidden, disabled or removed, browsers let it fall to the page's beginning.
 */

/** @param {Element} element */
function usable(element) {
  return element.isConnected && !element.matches(':disabled') && element.checkVisibility({ visibilityProperty: true });
}

/** @param {() => void} place  puts the focus where one would begin */
export function keepFocus(place) {
  /** @type {Element|null} null: a person put it nowhere, by a click beside everything */
  let holder = null;
  const look = () => {
    if (!holder || usable(holder)) return;
    holder = null;
    place();
  };
  document.addEventListener('focusin', ({ target }) => (holder = /** @type {Element} */ (target)));
  // Only afterwards it can be told whether its place went, or only the focus did.
  document.addEventListener('focusout', ({ target }) => queueMicrotask(() => {
    if (holder === target && document.activeElement !== target && usable(/** @type {Element} */ (target))) holder = null;
  }));
  const attributeFilter = ['class', 'data-screen', 'data-show', 'data-view', 'disabled', 'hidden'];
  new MutationObserver(look).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter });
}
