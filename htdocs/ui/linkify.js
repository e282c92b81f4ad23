// @ts-check
import { h } from './dom.js';

/** Text to nodes: addresses become links, all else stays text. */

const ADDRESS = /\b(?:https?:\/\/|mailto:)[^\s<>"'`]+/giu;
const SAFE = new Set(['http:', 'https:', 'mailto:']);

/**
 * Punctuation that ends the sentence rather than the address; a closing bracket
 * belongs to the address when it was opened inside.
 *
 * @param {string} address
 */
function trimmed(address) {
  let end = address.length;
  while (end > 0) {
    const last = address[end - 1];
    const isBracket = last === ')' && !address.slice(0, end).includes('(');
    if (!isBracket && !'.,:;!?…]}*_'.includes(last)) break;
    end -= 1;
  }
  return address.slice(0, end);
}

/** @param {string} address @returns {string|null} null when it is not one to follow */
function safeUrl(address) {
  try {
    const url = new URL(address);
    return SAFE.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} body
 * @returns {DocumentFragment}
 */
export function linkify(body) {
  const fragment = document.createDocumentFragment();
  let done = 0;
  for (const match of body.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const url = safeUrl(address);
    if (!url) continue;
    fragment.append(body.slice(done, match.index));
    // An address reads from left to right, whatever surrounds it.
    fragment.append(h('a', { href: url, target: '_blank', rel: 'noopener noreferrer', dir: 'ltr' }, address));
    done = match.index + address.length;
  }
  fragment.append(body.slice(done));
  return fragment;
}
