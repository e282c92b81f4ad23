// @ts-check

/**
 * One attempt to hear the events by Server-Sent Events. It ends by itself in
 * bounded time: by a hello, or by `fail`; and after the hello by silence, a cut,
 * `reset` or `bye`. It never reconnects: that is stream.js's decision, because a
 * native EventSource gives up for ever on any 4xx, 5xx or 204, also in its own
 * reconnects, and never sees whether the line is silent (Chromium 156, 2026-11).
 *
 * @typedef {object} TransportHandlers
 * @property {(cursor: string, session?: number) => void} hello   the far end is there, for that session
 * @property {(cursor: string, late?: boolean) => void} mark  all events before it were handed over; late:
 *   there may be more, which the far end cannot read at present
 * @property {(event: import('./types.js').StreamEvent) => void} event
 * @property {(reset: import('./types.js').Reset) => void} reset
 * @property {(retryMs: number) => void} bye
 * @property {(why: {code: string, status?: number, retryAfter?: number}) => void} fail
 *
 * @typedef {object} SseOptions
 * @property {string} url
 * @property {typeof EventSource} EventSource
 * @property {number} helloMs      how long `connected` may take
 * @property {number} silenceMs    no event, not even a mark, for so long: dead
 */

// EventSource has no listener for "any event"; a type that is not listed here is ignored.
const EVENT_TYPES = [
  'message.new', 'message.update', 'message.delete',
  'reaction.add', 'reaction.remove',
  'room.new', 'room.update', 'room.delete',
  'member.join', 'member.leave', 'member.update',
  'receipt.read', 'receipt.delivered',
  'presence.online', 'presence.offline',
  'typing.start', 'typing.stop',
  'session.end',
];

export class SseTransport {
  name = 'sse';
  /** When anything arrived last, by Date.now(). */
  lastHeardAt = Date.now();
  #source;
  #closed = false;
  #handlers;
  #silenceMs;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #deadline;

  /**
   * @param {SseOptions} options
   * @param {string} cursor
   * @param {TransportHandlers} handlers
   */
  constructor({ url, EventSource, helloMs, silenceMs }, cursor, handlers) {
    this.#handlers = handlers;
    this.#silenceMs = silenceMs;
    this.#source = new EventSource(`${url}?last_event_id=${encodeURIComponent(cursor)}`);
    this.#source.onerror = () => this.#fail('cut');
    this.#listen('connected', ({ session }, id) => handlers.hello(id || cursor, session));
    this.#listen('mark', ({ late }, id) => handlers.mark(id, late));
    this.#listen('reset', (data) => this.#end(() => handlers.reset(data)));
    this.#listen('bye', (data) => this.#end(() => handlers.bye(data.retry)));
    for (const type of EVENT_TYPES) this.#listen(type, (data) => handlers.event({ type, data }));
    this.#expectWithin(helloMs);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.#source.onerror = null;
    this.#source.close();
  }

  /**
   * @param {string} type
   * @param {(data: any, id: string) => void} handle
   */
  #listen(type, handle) {
    this.#source.addEventListener(type, (message) => {
      // npm's eventsource still hands over what it had read when it was closed.
      if (this.#closed) return;
      this.lastHeardAt = Date.now();
      this.#expectWithin(this.#silenceMs);
      let data;
      try {
        data = JSON.parse(message.data);
      } catch {
        return this.#fail('garbled');
      }
      handle(data, message.lastEventId);
    });
  }

  /** @param {number} ms */
  #expectWithin(ms) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail('silent'), ms);
  }

  /** @param {string} code */
  #fail(code) {
    this.#end(() => this.#handlers.fail({ code }));
  }

  /** @param {() => void} tell */
  #end(tell) {
    this.close();
    tell();
  }
}
