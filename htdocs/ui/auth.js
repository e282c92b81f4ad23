// @ts-check
import { h } from './dom.js';
import { ConfabElement } from './element.js';
import { text } from './text.js';

/**
 * <confab-auth>: log in or register, one form with a switch.
 * Tells `confab-log-in` {login, password} and `confab-register` {login, password,
 * display_name}; the owner answers with failed() or hides the element.
 */
const SHORTEST_PASSWORD = 8;

export class ConfabAuth extends ConfabElement {
  #registering = false;
  /** @type {HTMLFormElement} */
  #form = h('form', { class: 'auth-form', novalidate: true });
  #heading = h('h1', { tabindex: -1 }, text.appName);
  #summary = h('p', { class: 'form-error', role: 'alert' });
  #submit = h('button', { class: 'button primary', type: 'submit' });

  build() {
    const card = h('div', { class: 'auth-card' });
    card.append(
      h('img', { class: 'auth-logo', src: './icon.svg', alt: '', width: 56, height: 56 }),
      this.#heading,
      h('p', { class: 'auth-tagline' }, text.tagline),
      this.#modes(),
      this.#form,
    );
    this.#form.append(
      field({ name: 'display_name', label: text.displayName, hint: text.displayNameHint, autocomplete: 'name' }),
      field({ name: 'login', label: text.login, hint: text.loginHint, autocomplete: 'username' }),
      field({ name: 'password', label: text.password, hint: text.passwordHint, autocomplete: 'current-password' }),
      this.#summary,
      this.#submit,
    );
    this.append(card);
    this.#mode(false);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.#form.addEventListener('submit', (event) => this.#onSubmit(event), { signal });
    this.addEventListener('click', (event) => this.#onClick(event), { signal });
    this.#form.addEventListener('input', (event) => clearError(/** @type {HTMLElement} */ (event.target)), { signal });
  }

  /** @param {string} [message] why the person is here again */
  reset(message = '') {
    this.#form.reset();
    this.#busy(false);
    this.#mode(false);
    this.#summary.textContent = message;
  }

  /** @param {boolean} typing  whether the focus goes where typing begins, or only to the heading */
  start(typing) {
    (typing ? this.#input(this.#registering ? 'display_name' : 'login') : this.#heading).focus();
  }

  /**
   * @param {import('../lib/api.js').ApiError} err
   */
  failed(err) {
    this.#busy(false);
    const errors = err.code === 'login_taken' ? [{ pointer: '/login', detail: text.loginTaken }] : err.errors;
    const shown = errors.filter(({ pointer, detail }) => this.#fieldError(pointer.slice(1), this.#inPlainWords(pointer.slice(1), detail)));
    this.#summary.textContent = shown.length > 0 ? '' : summary(err);
    const first = /** @type {HTMLElement|null} */ (this.#form.querySelector('[aria-invalid="true"]'));
    (first ?? this.#input('password')).focus();
  }

  /** The server speaks to programs, of bytes and ranges. @param {string} name @param {string} detail */
  #inPlainWords(name, detail) {
    const input = this.#input(name);
    if (input?.value.trim() === '') return text.required;
    if (name === 'password') return input.value.length < SHORTEST_PASSWORD ? text.passwordHint : text.passwordTooLong;
    return detail;
  }

  #modes() {
    const modes = h('div', { class: 'segmented', role: 'group', 'aria-label': text.accountMode });
    modes.append(
      h('button', { type: 'button', 'data-mode': 'log-in' }, text.logIn),
      h('button', { type: 'button', 'data-mode': 'register' }, text.register),
    );
    return modes;
  }

  /** @param {boolean} registering */
  #mode(registering) {
    this.#registering = registering;
    this.dataset.mode = registering ? 'register' : 'log-in';
    for (const button of this.querySelectorAll('[data-mode]')) {
      if (button !== this) button.setAttribute('aria-pressed', String(button.getAttribute('data-mode') === this.dataset.mode));
    }
    this.#submit.textContent = registering ? text.register : text.logIn;
    this.#summary.textContent = '';
    for (const input of this.#form.querySelectorAll('input')) clearError(input);
    const password = this.#input('password');
    password.autocomplete = registering ? 'new-password' : 'current-password';
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const mode = target.closest('.segmented button')?.getAttribute('data-mode');
    if (mode) {
      this.#mode(mode === 'register');
      this.start(true);
    }
    if (target.closest('.reveal')) this.#reveal(target);
  }

  /** @param {HTMLElement} button */
  #reveal(button) {
    const password = this.#input('password');
    const shown = password.type === 'password';
    password.type = shown ? 'text' : 'password';
    button.textContent = shown ? text.hidePassword : text.showPassword;
    button.setAttribute('aria-pressed', String(shown));
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    event.preventDefault();
    if (this.#form.ariaBusy === 'true') return;
    this.#summary.textContent = '';
    const login = this.#input('login').value.trim();
    const password = this.#input('password').value;
    const display_name = this.#input('display_name').value.trim();
    this.#busy(true);
    if (this.#registering) this.tell('confab-register', { login, password, display_name });
    else this.tell('confab-log-in', { login, password });
  }

  /** @param {boolean} busy */
  #busy(busy) {
    this.#form.ariaBusy = String(busy);
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }

  /** @param {string} name @param {string} detail @returns {boolean} whether there is such a field on screen */
  #fieldError(name, detail) {
    const input = this.#form.elements.namedItem(name);
    if (!(input instanceof HTMLInputElement) || (name === 'display_name' && !this.#registering)) return false;
    input.setAttribute('aria-invalid', 'true');
    const message = input.closest('.field')?.querySelector('.field-error');
    if (message) message.textContent = detail;
    return true;
  }
}

/** @param {HTMLElement} input */
function clearError(input) {
  input.removeAttribute('aria-invalid');
  const message = input.closest('.field')?.querySelector('.field-error');
  if (message) message.textContent = '';
}

/** @param {import('../lib/api.js').ApiError} err @returns {string} */
function summary(err) {
  if (err.code === 'wrong_credentials') return text.wrongCredentials;
  if (err.status === 429) return text.tryLater(Math.max(1, Math.ceil(err.retryAfter / 1000)));
  if (err.status === 0) return text.unreachable;
  return err.status >= 500 ? text.serverTrouble : err.detail || text.refused;
}

/**
 * @param {{name: string, label: string, hint: string, autocomplete: string}} options
 */
function field({ name, label, hint, autocomplete }) {
  const secret = name === 'password';
  const input = h('input', {
    id: `auth-${name}`, name, autocomplete, type: secret ? 'password' : 'text', required: true,
    'aria-describedby': `auth-${name}-error auth-${name}-hint`,
    autocapitalize: name === 'display_name' ? 'words' : 'none', spellcheck: 'false',
  });
  const control = h('span', { class: 'control' }, input);
  if (secret) control.append(h('button', { class: 'reveal', type: 'button', 'aria-pressed': 'false' }, text.showPassword));
  return h('div', { class: `field field-${name}` },
    h('label', { for: input.id }, label),
    control,
    h('p', { class: 'field-error', id: `auth-${name}-error` }),
    h('p', { class: 'field-hint', id: `auth-${name}-hint` }, hint));
}
