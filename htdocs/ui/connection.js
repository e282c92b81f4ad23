// @ts-check

/** What the dot and the notice say of the connection: the truth at once, the alarm only when it lasts. */

/** A connection that is away for less than this is nobody's concern. */
const NOTICE_MS = 4000;

export class Connection {
  #stream;
  #dot;
  #notice;
  #concerned;
  #lasting = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {object} parts
   * @param {import('../lib/stream.js').Stream} parts.stream
   * @param {import('./status.js').ConfabStatus} parts.dot
   * @param {import('./notice.js').ConfabNotice} parts.notice
   * @param {() => boolean} parts.concerned  whether anybody waits for the connection
   */
  constructor({ stream, dot, notice, concerned }) {
    this.#stream = stream;
    this.#dot = dot;
    this.#notice = notice;
    this.#concerned = concerned;
  }

  /** The stream's status is another one. */
  changed() {
    const { state, late } = this.#stream.status;
    if (late || state === 'connecting' || state === 'waiting') {
      this.#timer ??= setTimeout(() => {
        this.#lasting = true;
        this.render();
      }, NOTICE_MS);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#lasting = false;
    }
    this.render();
  }

  render() {
    const { state, late, transport, retryAt } = this.#stream.status;
    const deviceOffline = !navigator.onLine;
    const works = state === 'open' && !late;
    const away = deviceOffline || (!works && this.#lasting);
    if (away) this.#dot.connection = 'offline';
    else if (!works) this.#dot.connection = 'connecting';
    else this.#dot.connection = transport === 'poll' ? 'polling' : 'live';
    this.#notice.trouble = away && this.#concerned() ? { deviceOffline, retryAt } : null;
  }
}
