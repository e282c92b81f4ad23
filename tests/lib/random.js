// @ts-check

/** Choices at random that can be had again: SEED=N repeats those of an earlier run. */

import { randomInt } from 'node:crypto';

const SEED_MAX = 2 ** 32;

export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed = Number(process.env.SEED) || randomInt(SEED_MAX)) {
    this.seed = seed;
    this.#state = seed;
  }

  /** At least 0, below 1. Mulberry32: one 32-bit word of state, and good enough to choose. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let word = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / SEED_MAX;
  }

  /** @param {number} low @param {number} high */
  between(low, high) {
    return low + this.next() * (high - low);
  }

  /** @template T @param {readonly T[]} items @returns {T} */
  pick(items) {
    return items[Math.floor(this.next() * items.length)];
  }

  /** @template T @param {readonly T[]} items @returns {T[]} */
  shuffled(items) {
    return items
      .map((item) => ({ item, place: this.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }

  /** One whose choices do not depend on how many are made elsewhere. */
  fork() {
    return new Random(Math.floor(this.next() * SEED_MAX));
  }
}
