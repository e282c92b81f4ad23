// @ts-check

/**
 * What all confab elements share: they build their content once, listen while
 * they are in the page, and speak by events that bubble.
 */
export class ConfabElement extends HTMLElement {
  #abort = new AbortController();
  #built = false;

  connectedCallback() {
    this.#abort = new AbortController();
    if (!this.#built) this.build();
    this.#built = true;
    this.listen(this.#abort.signal);
  }

  disconnectedCallback() {
    this.#abort.abort();
  }

  /** Makes the content; called once. */
  build() {}

  /**
   * Registers listeners; called whenever the element enters a page.
   *
   * @param {AbortSignal} _signal fires when it leaves
   */
  listen(_signal) {}

  /**
   * @param {string} type
   * @param {object} [detail]
   */
  tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }
}
