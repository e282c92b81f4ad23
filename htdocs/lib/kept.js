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
    return keys.flatMap((key) => this.nameOf(key) ?? []);
  }

  /** @param {string} key of the storage @returns {string|null} its name; null: it is none of ours */
  nameOf(key) {
    return key.startsWith(this.prefix) ? key.slice(this.prefix.length) : null;
  }

  /** @param {string|number} name @returns {any} as of parse */
  get(name) {
    try {
      return this.parse(this.#storage?.getItem(this.prefix + name) ?? null);
    } catch {
      return null;
    }
  }

  /** @param {string|null} kept  as it stands in the storage @returns {any} null for nothing, and for what is not ours to read */
  parse(kept) {
    try {
      return JSON.parse(kept ?? 'null');
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
