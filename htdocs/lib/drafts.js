// @ts-check

/**
 * What a person has written in a room and not sent. It is kept in the given
 * storage, a key for each room, so that it survives a reload; what does not go
 * there, being too long or refused, lives as long as the page.
 *
 * @typedef {import('./outbox.js').KeyValueStorage} KeyValueStorage
 */

/** The storage is not ours alone: beyond so many, the oldest goes. */
const MAX_DRAFTS = 30;
const MAX_LENGTH = 20000;

export class Drafts {
  #storage;
  #prefix;
  /** @type {Map<number, string>} what the storage did not take */
  #unkept = new Map();

  /**
   * @param {object} options
   * @param {KeyValueStorage|null} options.storage
   * @param {string} options.prefix of the storage keys: this site and this person
   */
  constructor({ storage, prefix }) {
    this.#storage = storage;
    this.#prefix = prefix;
  }

  /** @param {number} room */
  get(room) {
    return this.#unkept.get(room) ?? this.#read(this.#prefix + room).body;
  }

  /** @param {number} room @param {string} body nothing: there is no draft any more */
  set(room, body) {
    this.#unkept.delete(room);
    const kept = body !== '' && body.length <= MAX_LENGTH && this.#write(this.#prefix + room, body);
    if (kept) return;
    this.#erase(this.#prefix + room);
    if (body !== '') this.#unkept.set(room, body);
  }

  clear() {
    this.#unkept.clear();
    for (const key of this.#keys()) this.#erase(key);
  }

  #keys() {
    const storage = this.#storage;
    const keys = Array.from({ length: storage?.length ?? 0 }, (_, i) => storage?.key(i) ?? '');
    return keys.filter((key) => key.startsWith(this.#prefix));
  }

  /** @param {string} key @returns {{at: number, body: string}} */
  #read(key) {
    try {
      return { at: 0, body: '', ...JSON.parse(this.#storage?.getItem(key) ?? '{}') };
    } catch {
      return { at: 0, body: '' };
    }
  }

  /** @param {string} key @param {string} body @returns {boolean} whether it is there */
  #write(key, body) {
    if (!this.#storage) return false;
    try {
      this.#storage.setItem(key, JSON.stringify({ at: Date.now(), body }));
    } catch {
      return false;
    }
    const others = this.#keys().filter((other) => other !== key);
    if (others.length >= MAX_DRAFTS) this.#erase(others.reduce((a, b) => (this.#read(a).at < this.#read(b).at ? a : b)));
    return true;
  }

  /** @param {string} key */
  #erase(key) {
    try {
      this.#storage?.removeItem(key);
    } catch {
      // Storage is forbidden: nothing is kept there.
    }
  }
}
