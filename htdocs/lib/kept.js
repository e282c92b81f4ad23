// @ts-check

/**
 * What a browser keeps for us: JSON under names, each with a key of its own, so
 * that tabs do not overwrite each other's. A storage that is missing, full or
 * forbidden keeps nothing, and harms nothing.
 *
 * @typedef {Pick<Storage, 'getItem'|'setItem'|'removeItem'|'key'|'length'>} KeyValueStorage
 */

export class Kept {
  #storage;

  /**
   * @param {KeyValueStorage|null} storage
   * @param {string} prefix of the keys
   */
  constructor(storage, prefix) {
    this.#storage = storage;
    this.prefix = prefix;
  }

  /** @returns {string[]} in no order */
  get names() {
    const storage = this.#storage;
    const keys = Array.from({ length: storage?.length ?? 0 }, (_, i) => storage?.key(i) ?? '');
    return keys.filter((key) => key.startsWith(this.prefix)).map((key) => key.slice(this.prefix.length));
  }

  /** @param {string|number} name @returns {any} null for nothing, and for what is not ours to read */
  get(name) {
    try {
      return JSON.parse(this.#storage?.getItem(this.prefix + name) ?? 'null');
    } catch {
      return null;
    }
  }

  /** @param {string|number} name @param {any} value @returns {boolean} whether it is kept */
  set(name, value) {
    try {
      this.#storage?.setItem(this.prefix + name, JSON.stringify(value));
      return this.#storage !== null;
    } catch {
      return false;
    }
  }

  /** @param {string|number} name */
  delete(name) {
    try {
      this.#storage?.removeItem(this.prefix + name);
    } catch {
      // Forbidden: there is nothing.
    }
  }
}
