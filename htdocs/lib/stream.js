// @ts-check
import { ApiError } from './api.js';
import { Backoff } from './backoff.js';
import { Emitter } from './emitter.js';
import { PollTransport } from './transport-poll.js';
import { SseTransport } from './transport-sse.js';

/**
 * The events of all rooms, through whatever happens to the line. First load,
 * resume and live are one path: without a cursor, connecting begins with
 * `bootstrap`, which reads a snapshot and returns its cursor; then a transport
 * hears what is new after that cursor.
 *
 *   idle        not started, or stopped
 *   connecting  a bootstrap or an attempt is under way
 *   open        a transport said hello and is believed to be alive
 *   waiting     until `retryAt`, or until wake()
 *   closed      for good: the session is over
 *
 * The ladder is chosen by measuring: two streams in a row that fail before their
 * hello, and we poll; while polling, a stream is tried beside it now and then,
 * and takes over when its hello comes.
 *
 * @typedef {'idle'|'connecting'|'open'|'waiting'|'closed'} State
 * @typedef {{state: State, transport: string, retryAt: number, reason: string, late: boolean}} Status
 *   late: open, but what is new cannot be read on the server at present
 * @typedef {import('./transport-sse.js').TransportHandlers} TransportHandlers
 * @typedef {SseTransport|PollTransport} Transport
 *
 * @typedef {object} StreamOptions
 * @property {string} url                  of the stream
 * @property {(signal: AbortSignal) => Promise<string>} bootstrap
 * @property {(cursor: string, signal: AbortSignal) => Promise<import('./types.js').Poll>} poll
 * @property {(session: number) => boolean} [isOurs]  whether a stream belongs to who bootstrap was for:
 *   the cookie may become another's
 * @property {() => Promise<(() => void)|null>} [slot]  takes one of the places that this browser has for
 *   streams (slots.js) and gives the function that frees it; null: poll. Without it there is no limit
 * @property {typeof EventSource} [EventSource]  Node has none: give it an npm one
 * @property {Partial<Times>} [times]
 */

/**
 * @typedef {object} Times  all in milliseconds
 * @property {number} helloMs        how long `connected` may take
 * @property {number} silenceMs      nothing heard for so long: the line is dead
 * @property {number} staleMs        nothing heard for so long: not to be trusted on waking
 * @property {number} backoffBaseMs
 * @property {number} backoffCapMs
 * @property {number} stableMs       a line that lasts less has not proved itself: its failures add up
 * @property {number} probeMinMs     between tries of a stream while polling
 * @property {number} probeMaxMs
 * @property {number} tickMs         how often the clock is looked at
 */

/** @type {Readonly<Times>} The server's mark comes every 15 to 20 s: one that is missing is worth a fresh connection. */
export const TIMES = Object.freeze({
  helloMs: 8000,
  silenceMs: 25000,
  staleMs: 22000,
  backoffBaseMs: 1000,
  backoffCapMs: 30000,
  stableMs: 10000,
  probeMinMs: 5000,
  probeMaxMs: 300000,
  tickMs: 5000,
});

/** Streams in a row that may fail before their hello. */
const SSE_TRIES = 2;

/** @type {Record<State, State[]>} */
const LEGAL = {
  idle: ['connecting'],
  connecting: ['idle', 'connecting', 'open', 'waiting', 'closed'],
  open: ['idle', 'connecting', 'open', 'waiting', 'closed'],
  waiting: ['idle', 'connecting', 'waiting'],
  closed: ['idle', 'connecting'],
};

/** @extends {Emitter<{status: Status, event: import('./types.js').StreamEvent, reset: import('./types.js').Reset}>} */
export class Stream extends Emitter {
  #options;
  #times;
  /** @type {Status} */
  #status = { state: 'idle', transport: '', retryAt: 0, reason: '', late: false };
  /** @type {string|null} */
  #cursor = null;
  /** @type {Transport|null} */
  #transport = null;
  /** @type {SseTransport|null} tried beside a poll that works */
  #probe = null;
  #abort = new AbortController();
  #backoff;
  #probeBackoff;
  #sseFailures = 0;
  /** Frees the place that the stream, or its probe, has. */
  #freeSlot = () => {};
  #openedAt = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} the next attempt, or the next probe */
  #timer;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #ticker;
  #lastTick = 0;

  /** @param {StreamOptions} options */
  constructor(options) {
    super();
    this.#options = { ...options, EventSource: options.EventSource ?? globalThis.EventSource };
    this.#times = { ...TIMES, ...options.times };
    const { backoffBaseMs, backoffCapMs, probeMinMs, probeMaxMs } = this.#times;
    this.#backoff = new Backoff({ base: backoffBaseMs, cap: backoffCapMs });
    this.#probeBackoff = new Backoff({ base: probeMinMs, cap: probeMaxMs });
  }

  get status() {
    return this.#status;
  }

  /** Harmless when it runs already. */
  start() {
    if (this.#status.state !== 'idle' && this.#status.state !== 'closed') return;
    this.#lastTick = Date.now();
    this.#ticker = setInterval(() => this.#tick(), this.#times.tickMs);
    this.#connect();
  }

  /**
   * A start() afterwards resumes.
   *
   * @param {{forget?: boolean}} [options] forget: it begins anew, perhaps as somebody else
   */
  stop({ forget = false } = {}) {
    if (forget) this.#cursor = null;
    this.#release();
    clearInterval(this.#ticker);
    if (this.#status.state !== 'idle') this.#setState('idle');
  }

  /**
   * Something happened that makes a try worthwhile now: the network came back, the
   * page became visible, the machine woke up, a person pressed "retry".
   *
   * @param {{rebuild?: boolean}} [options] rebuild: the old connection is surely
   *   gone (another network), though nobody has told it
   */
  wake({ rebuild = false } = {}) {
    const { state } = this.#status;
    const silent = this.#transport ? Math.abs(Date.now() - this.#transport.lastHeardAt) : 0;
    const stale = state === 'open' && silent > this.#times.staleMs;
    const away = state === 'idle' || state === 'closed';
    // What failed before the change says nothing about a stream's chances after it.
    if (rebuild) this.#sseFailures = 0;
    if (state === 'waiting' || stale || (rebuild && !away)) this.#connect();
  }

  /** What was heard so far does not suffice: begin again with a snapshot. @param {number} [within] seconds */
  renew(within = 5) {
    if (this.#status.state !== 'idle' && this.#status.state !== 'closed') this.#reset({ reason: 'renew', within });
  }

  async #connect() {
    this.#release();
    this.#setState('connecting');
    const { signal } = this.#abort;
    if (this.#cursor === null) {
      try {
        const cursor = await this.#options.bootstrap(signal);
        if (signal.aborted) return;
        this.#cursor = cursor;
      } catch (err) {
        if (!signal.aborted) this.#failed(err instanceof ApiError ? err : { code: 'bootstrap' });
        if (err instanceof ApiError) return;
        throw err; // a fault in the program: tried again, but not kept quiet
      }
    }
    const streams = this.#sseFailures < SSE_TRIES && (await this.#takeSlot(signal));
    if (signal.aborted) return;
    this.#transport = streams ? this.#openSse(this.#cursor) : this.#openPoll(this.#cursor);
  }

  /** @param {AbortSignal} signal @returns {Promise<boolean>} whether a stream may be opened */
  async #takeSlot(signal) {
    if (!this.#options.slot) return true;
    const free = await this.#options.slot();
    if (signal.aborted) free?.();
    else if (free) this.#freeSlot = free;
    return free !== null && !signal.aborted;
  }

  /** @param {string} cursor */
  #openSse(cursor) {
    const handlers = this.#handlers();
    const hello = handlers.hello;
    let greeted = false;
    handlers.hello = (at, session) => {
      greeted = true;
      this.#sseFailures = 0;
      hello(at, session);
    };
    /**
     * @param {() => void} then  what to do if it is not yet time to poll
     * @param {boolean} [silent]  it fell silent: whoever hangs there may well take the next attempt too
     */
    const over = (then, silent = false) => {
      if (!greeted || silent) this.#sseFailures += 1;
      if (this.#sseFailures < SSE_TRIES) return then();
      this.#freeSlot();
      this.#transport = this.#openPoll(cursor);
    };
    handlers.fail = (why) => over(() => this.#failed(why), why.code === 'silent');
    handlers.bye = (retryMs) => over(() => this.#waitFor(retryMs, 'bye'));
    return new SseTransport(this.#sseOptions(), cursor, handlers);
  }

  /** @param {string} cursor */
  #openPoll(cursor) {
    const handlers = this.#handlers();
    const hello = handlers.hello;
    handlers.hello = (at) => {
      hello(at);
      this.#probeBackoff.reset();
      this.#probeLater();
    };
    handlers.fail = (why) => {
      // Whatever took the API away may have given the stream back: one try before the next poll.
      this.#sseFailures = SSE_TRIES - 1;
      this.#failed(why);
    };
    return new PollTransport(this.#options.poll, cursor, handlers);
  }

  /** @returns {TransportHandlers} what all transports have in common */
  #handlers() {
    return {
      hello: (cursor, session) => {
        const { isOurs } = this.#options;
        if (session !== undefined && isOurs && !isOurs(session)) return this.#mistaken();
        this.#cursor = cursor;
        this.#openedAt = Date.now();
        this.#setState('open');
      },
      mark: (cursor, late = false) => {
        this.#cursor = cursor;
        if (late === this.#status.late) return;
        this.#status = { ...this.#status, late };
        this.emit('status', this.#status);
      },
      event: (event) => this.emit('event', event),
      reset: (reset) => this.#reset(reset),
      bye: (retryMs) => this.#waitFor(retryMs, 'bye'),
      fail: (why) => this.#failed(why),
    };
  }

  /** A stream beside the poll that works; once it says hello it is the transport. */
  #probeLater() {
    this.#timer = setTimeout(async () => {
      const { signal } = this.#abort;
      const streams = await this.#takeSlot(signal);
      if (signal.aborted) return;
      if (!streams) return this.#probeLater();
      const live = this.#handlers();
      const failed = () => {
        this.#freeSlot();
        this.#probe = null;
        this.#probeLater();
      };
      const handlers = { ...live, fail: failed, bye: failed };
      handlers.hello = (cursor, session) => {
        this.#transport?.close();
        this.#transport = this.#probe;
        this.#probe = null;
        this.#sseFailures = 0;
        Object.assign(handlers, live);
        live.hello(cursor, session);
      };
      this.#probe = new SseTransport(this.#sseOptions(), /** @type {string} */ (this.#cursor), handlers);
    }, this.#probeBackoff.next(this.#times.probeMinMs));
  }

  #sseOptions() {
    const { url, EventSource } = this.#options;
    const { helloMs, silenceMs } = this.#times;
    return { url, EventSource, helloMs, silenceMs };
  }

  /**
   * What was heard so far is void. The wait spreads the refetch of many clients.
   *
   * @param {import('./types.js').Reset} reset
   */
  #reset(reset) {
    this.#cursor = null;
    this.emit('reset', reset);
    this.#waitFor(Math.random() * (reset.within ?? 0) * 1000, `reset ${reset.reason}`);
  }

  /** The stream is another session's than the snapshot's. Not at once, for it might be so again. */
  #mistaken() {
    this.#cursor = null;
    this.emit('reset', { reason: 'session', within: 0 });
    this.#failed({ code: 'session' });
  }

  /** @param {{code: string, status?: number, retryAfter?: number}} why */
  #failed({ code, status, retryAfter }) {
    if (status === 401) return this.#refused();
    if (this.#status.state === 'open' && Date.now() - this.#openedAt > this.#times.stableMs) this.#backoff.reset();
    this.#waitFor(this.#backoff.next(retryAfter), code);
  }

  /** The session is over: only a new log-in, thus a new start(), helps. */
  #refused() {
    this.#cursor = null;
    this.#release();
    clearInterval(this.#ticker);
    this.#setState('closed', { reason: 'auth' });
  }

  /** @param {number} ms @param {string} reason */
  #waitFor(ms, reason) {
    this.#release();
    this.#setState('waiting', { retryAt: Date.now() + ms, reason });
    this.#timer = setTimeout(() => this.#connect(), ms);
  }

  /** Ends everything that is under way; whatever it still wanted to say is not heard. */
  #release() {
    this.#abort.abort();
    this.#abort = new AbortController();
    clearTimeout(this.#timer);
    this.#transport?.close();
    this.#transport = null;
    this.#probe?.close();
    this.#probe = null;
    this.#freeSlot();
    this.#freeSlot = () => {};
  }

  /** A clock that jumped means that the machine slept: timers and connections are late or dead. */
  #tick() {
    const now = Date.now();
    const late = Math.abs(now - this.#lastTick - this.#times.tickMs);
    this.#lastTick = now;
    if (late > 2 * this.#times.tickMs) this.wake();
  }

  /** @param {State} state @param {{retryAt?: number, reason?: string}} [more] */
  #setState(state, { retryAt = 0, reason = '' } = {}) {
    const from = this.#status.state;
    if (!LEGAL[from].includes(state)) throw new Error(`stream: ${from} -> ${state}`);
    this.#status = { state, retryAt, reason, transport: this.#transport?.name ?? '', late: false };
    this.emit('status', this.#status);
  }
}
