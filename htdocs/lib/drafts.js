// @ts-check
import { Kept } from './kept.js';

/**
 * What a person has written in a room and not sent. It survives a reload, unless
 * it is too long or the storage refuses it.
 */

/** The storage is not ours alone: beyond so many, the oldest goes. */
const MAX_DRAFTS = 30;
const MAX_LENGTH = 20000;

export class Drafts {
  #kept;
  /** @type {Map<number, string>} what lives as long as the page */
  #unkept = new Map();

  /**
   * @param {object} options
   * @param {import('./kept.js').KeyValueStorage|null} options.storage
   * @param {string} options.prefix of the storage keys: this site and this person
   */
  constructor({ storage, prefix }) {
    this.#kept = new Kept(storage, prefix);
  }

  /** @param {number} room @returns {string} */
  get(room) {
    return this.#unkept.get(room) ?? this.#kept.get(room)?.body ?? '';
  }

  /** @param {number} room @param {string} body nothing: there is no draft any more */
  set(room, body) {
    this.#unkept.delete(room);
    if (body !== '' && body.length <= MAX_LENGTH && this.#kept.set(room, { at: Date.now(), body })) return this.#bound(room);
    this.#kept.delete(room);
    if (body !== '') this.#unkept.set(room, body);
  }

  /**
   * Another tab changed the storage.
   *
   * @param {string} key
   * @param {string|null} before
   * @param {string|null} after
   * @returns {{room: number, before: string, after: string}|null} the draft that it is; null: it is none of ours
   */
  changedElsewhere(key, before, after) {
    const room = this.#kept.nameOf(key);
    const body = (/** @type {string|null} */ kept) => this.#kept.parse(kept)?.body ?? '';
    return room === null ? null : { room: Number(room), before: body(before), after: body(after) };
  }

  clear() {
    this.#unkept.clear();
    for (const name of this.#kept.names) this.#kept.delete(name);
  }

  /** @param {number} newest */
  #bound(newest) {
    const others = this.#kept.names.filter((name) => name !== String(newest));
    const at = (/** @type {string} */ name) => this.#kept.get(name)?.at ?? 0;
    if (others.length >= MAX_DRAFTS) this.#kept.delete(others.reduce((a, b) => (at(a) < at(b) ? a : b)));
  }
}
