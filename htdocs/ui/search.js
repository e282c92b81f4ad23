// @ts-check
import { h, icon } from './dom.js';
import { ConfabElement } from './element.js';
import { avatar } from './format.js';
import { text } from './text.js';

/**
 * <confab-search>: finds people while one types. Tells `confab-search` {query}
 * and, for the person chosen, `confab-open-user` {user, query}; the owner answers with
 * `results`.
 *
 * A combobox with a list: the focus stays in the field, the arrows move through
 * the list.
 *
 * @typedef {import('../lib/types.js').User} User
 * @typedef {{query: string, people: User[], failed?: boolean}} Results
 */

const DEBOUNCE_MS = 180;

export class ConfabSearch extends ConfabElement {
  #input = h('input', {
    type: 'search', role: 'combobox', 'aria-expanded': 'false', 'aria-controls': 'search-results',
    'aria-autocomplete': 'list', 'aria-label': text.search, placeholder: text.search,
    autocomplete: 'off', spellcheck: 'false', maxlength: 100,
  });
  #clear = h('button', { class: 'icon-button', type: 'button', 'aria-label': text.clearSearch, hidden: true }, icon('close'));
  #list = h('ul', { id: 'search-results', role: 'listbox', 'aria-label': text.searchResults, hidden: true });
  #message = h('p', { class: 'search-message', role: 'status' });
  /** @type {User[]} */
  #people = [];
  #chosen = -1;
  /** What #people are the answer to: while one types on, not what stands in the field. */
  #answered = '';
  /** Enter came before the answer did. */
  #opensBest = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  build() {
    this.append(h('div', { class: 'search-field' }, icon('search'), this.#input, this.#clear), this.#message, this.#list);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#input.addEventListener('input', () => this.#onInput(), { signal });
    this.#input.addEventListener('keydown', (event) => this.#onKey(event), { signal });
    this.#clear.addEventListener('click', () => this.#onClear(), { signal });
    // Before the field loses its focus, which would be lost on phones' keyboards.
    this.#list.addEventListener('mousedown', (event) => event.preventDefault(), { signal });
    this.#list.addEventListener('click', (event) => this.#onClick(event), { signal });
    signal.addEventListener('abort', () => clearTimeout(this.#timer));
  }

  reset() {
    this.#input.value = '';
    this.#onInput();
  }

  start() {
    this.#input.focus();
  }

  /** @param {Results} results */
  set results({ query, people, failed }) {
    if (query !== this.#query) return;
    this.#people = people;
    this.#list.replaceChildren(...people.map(option));
    this.#list.hidden = people.length === 0;
    this.#input.setAttribute('aria-expanded', String(people.length > 0));
    this.#message.textContent = failed ? text.searchFailed : people.length ? text.peopleFound(people.length) : text.nobodyFound(query);
    this.#message.classList.toggle('visually-hidden', people.length > 0);
    this.#choose(people.length > 0 ? 0 : -1);
    this.#answered = query;
    if (this.#opensBest) this.#open(people[0]);
    this.#opensBest = false;
  }

  get #query() {
    return this.#input.value.trim();
  }

  #onInput() {
    const query = this.#query;
    clearTimeout(this.#timer);
    this.#opensBest = false;
    this.#clear.hidden = this.#input.value === '';
    this.classList.toggle('active', query !== '');
    this.tell('confab-search-active', { active: query !== '' });
    if (query === '') {
      this.results = { query, people: [] };
      this.#message.textContent = '';
      return;
    }
    if (this.#people.length === 0) this.#message.textContent = text.searching;
    this.#timer = setTimeout(() => this.tell('confab-search', { query }), DEBOUNCE_MS);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing) return;
    if (event.key === 'Escape' && this.#input.value !== '') this.reset();
    else if (event.key === 'ArrowDown') this.#choose(Math.min(this.#chosen + 1, this.#people.length - 1));
    else if (event.key === 'ArrowUp') this.#choose(Math.max(this.#chosen - 1, 0));
    else if (event.key === 'Enter') this.#onEnter();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #onClear() {
    this.reset();
    this.start();
  }

  #onEnter() {
    const query = this.#query;
    if (query === this.#answered) return this.#open(this.#people[this.#chosen]);
    clearTimeout(this.#timer);
    this.#opensBest = true;
    this.tell('confab-search', { query });
  }

  /** @param {number} index */
  #choose(index) {
    this.#chosen = index;
    [...this.#list.children].forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
    const node = this.#list.children[index];
    if (node) this.#input.setAttribute('aria-activedescendant', node.id);
    else this.#input.removeAttribute('aria-activedescendant');
    node?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const node = /** @type {Element} */ (event.target).closest('[role=option]');
    if (node) this.#open(this.#people[[...this.#list.children].indexOf(node)]);
  }

  /** @param {User|undefined} user */
  #open(user) {
    if (user) this.tell('confab-open-user', { user: user.id, query: this.#query });
  }
}

/** @param {User} user */
function option(user) {
  return h('li', { id: `person-${user.id}`, role: 'option', class: 'person' },
    avatar(user.id, user.display_name),
    h('bdi', { class: 'person-name' }, user.display_name),
    user.login ? h('span', { class: 'person-login' }, `@${user.login}`) : null);
}
