// @ts-check

/**
 * The REST API: the only module that fetches. Every failure, be it the network,
 * a time-out or an answer, leaves here as an ApiError.
 *
 * @typedef {import('./types.js').User} User
 * @typedef {import('./types.js').Room} Room
 * @typedef {import('./types.js').Message} Message
 */

const TIMEOUT_MS = 15000;

/** Why a request did not succeed. */
export class ApiError extends Error {
  /**
   * @param {object} problem
   * @param {number} problem.status     HTTP status; 0 when there was no answer
   * @param {string} problem.code       `network`, `timeout`, or the server's code
   * @param {string} [problem.detail]   the server's sentence for people
   * @param {{pointer: string, detail: string}[]} [problem.errors] one per bad field
   * @param {string} [problem.requestId]
   * @param {number} [problem.retryAfter] milliseconds
   */
  constructor({ status, code, detail = '', errors = [], requestId = '', retryAfter = 0 }) {
    super(detail || code);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  /** The same request may succeed later, unchanged. */
  get transient() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/**
 * @param {string|null} value of a Retry-After header: seconds, or a date
 * @returns {number} milliseconds from now, 0 when absent or unreadable
 */
export function parseRetryAfter(value) {
  if (!value) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function errorFrom(response) {
  const retryAfter = parseRetryAfter(response.headers.get('Retry-After'));
  const type = response.headers.get('Content-Type') ?? '';
  /** @type {any} */
  let problem = null;
  if (type.startsWith('application/problem+json')) problem = await response.json().catch(() => null);
  return new ApiError({
    status: response.status,
    // A web server's own page (a worker died, a proxy gave up) carries no code.
    code: problem?.code ?? 'http',
    detail: problem?.detail,
    errors: problem?.errors,
    requestId: problem?.request_id,
    retryAfter,
  });
}

export class Api {
  /** Fingerprint of the session that requests are meant for: the cookie may become another's. */
  session = '';
  /** Called when that session is none any more, or the cookie is another's. */
  sessionLost = () => {};
  #base;
  #token;

  /**
   * @param {object} options
   * @param {string} options.base    where the API lives, e.g. `./api/v1`
   * @param {string} [options.token] bearer token; without one the cookie counts
   */
  constructor({ base, token }) {
    this.#base = base.replace(/\/$/, '');
    this.#token = token;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{body?: object, signal?: AbortSignal, session?: string}} [options] session: '' for any
   * @returns {Promise<any>} the answer's JSON; null for 204
   */
  async request(method, path, { body, signal, session = this.session } = {}) {
    const abort = new AbortController();
    const stop = () => abort.abort();
    const timer = setTimeout(stop, TIMEOUT_MS);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    try {
      const response = await fetch(this.#base + path, {
        method,
        headers: this.#headers(body, session),
        body: body && JSON.stringify(body),
        credentials: 'same-origin',
        signal: abort.signal,
      });
      if (!response.ok) throw await errorFrom(response);
      return response.status === 204 ? null : await response.json();
    } catch (err) {
      if (err instanceof ApiError) {
        if (err.code === 'unauthenticated' && session !== '' && session === this.session) this.sessionLost();
        throw err;
      }
      const code = signal?.aborted ? 'aborted' : abort.signal.aborted ? 'timeout' : 'network';
      throw new ApiError({ status: 0, code });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  /** @param {object|undefined} body @param {string} session @returns {Record<string, string>} */
  #headers(body, session) {
    /** @type {Record<string, string>} */
    const headers = { Accept: 'application/json' };
    if (body) headers['Content-Type'] = 'application/json';
    if (session) headers['Confab-Session'] = session;
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    return headers;
  }

  /** @param {{login: string, password: string, display_name: string}} person */
  register(person) {
    return this.request('POST', '/users', { body: person });
  }

  /** @param {{login: string, password: string}} credentials */
  logIn(credentials) {
    return this.request('POST', '/session', { body: credentials });
  }

  /** @param {string} [session] which one; by default the one that requests are meant for */
  logOut(session) {
    return this.request('DELETE', '/session', { session });
  }

  /** Who is logged in now, whoever was meant. @returns {Promise<{user: User, session: import('./types.js').SessionInfo}|null>} */
  async whoIsIn() {
    try {
      return await this.request('GET', '/session', { session: '' });
    } catch (err) {
      if (err instanceof ApiError && err.status === 401) return null;
      throw err;
    }
  }

  /** Of whoever is logged in now. @param {AbortSignal} [signal] @returns {Promise<import('./types.js').Snapshot>} */
  snapshot(signal) {
    return this.request('GET', '/snapshot', { signal, session: '' });
  }

  /** @param {string} after @param {AbortSignal} [signal] @returns {Promise<import('./types.js').Poll>} */
  events(after, signal) {
    return this.request('GET', `/events?after=${encodeURIComponent(after)}`, { signal });
  }

  /** @param {string} query @param {AbortSignal} [signal] @returns {Promise<{items: User[], has_more: boolean}>} */
  searchUsers(query, signal) {
    return this.request('GET', `/users?q=${encodeURIComponent(query)}&limit=20`, { signal });
  }

  /** @param {number} user @returns {Promise<Room>} */
  openDialog(user) {
    return this.request('PUT', `/dialogs/${user}`);
  }

  /** @param {number} room @returns {Promise<Room>} */
  room(room) {
    return this.request('GET', `/rooms/${room}`);
  }

  /**
   * @param {number} room
   * @param {{before?: number, after?: number, limit?: number}} [page]
   * @returns {Promise<import('./types.js').MessagePage>}
   */
  messages(room, page = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(page)) query.set(name, String(value));
    return this.request('GET', `/rooms/${room}/messages?${query}`);
  }

  /**
   * Safe to repeat: the server answers the same message for the same client_id.
   *
   * @param {number} room
   * @param {{client_id: string, body: string}} message
   * @returns {Promise<Message>}
   */
  send(room, message) {
    return this.request('POST', `/rooms/${room}/messages`, { body: message });
  }

  /** @param {number} room @param {number} seq @returns {Promise<{room: number, read_seq: number}>} */
  markRead(room, seq) {
    return this.request('PUT', `/rooms/${room}/read`, { body: { seq } });
  }
}
