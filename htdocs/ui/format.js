// @ts-check
import { h } from './dom.js';
import { text } from './text.js';

/** Times, days, names and avatars, in the reader's own language where Intl knows it. */

const DAY_MS = 86400000;
const HUES = 8;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const dayMonth = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const longDayYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const shortDate = new Intl.DateTimeFormat(undefined, { dateStyle: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** Calendar days from `date` to today, in local time. @param {Date} date */
function daysAgo(date) {
  const midnight = (/** @type {Date} */ at) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
  // Rounded, since a day of a change to summer time has 23 hours.
  return Math.round((midnight(new Date()) - midnight(date)) / DAY_MS);
}

/** @param {string} word */
const capitalised = (word) => word.charAt(0).toLocaleUpperCase() + word.slice(1);

/** @param {string} iso @returns {string} the time of day */
export function timeOfDay(iso) {
  return clock.format(new Date(iso));
}

/** @param {string} iso @returns {string} day and time, in full */
export function fullTime(iso) {
  return full.format(new Date(iso));
}

/** @param {string} iso @returns {string} short enough for a chat list */
export function shortTime(iso) {
  const date = new Date(iso);
  const days = daysAgo(date);
  if (days <= 0) return clock.format(date);
  if (days === 1) return capitalised(relative.format(-1, 'day'));
  if (days < 7) return weekday.format(date);
  return days < 300 ? dayMonth.format(date) : shortDate.format(date);
}

/** @param {string} iso @returns {string} the same for all times of one local day */
export function dayKey(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** @param {string} iso @returns {string} the heading of a day in a conversation */
export function dayName(iso) {
  const date = new Date(iso);
  const days = daysAgo(date);
  if (days <= 0) return text.today;
  if (days === 1) return capitalised(relative.format(-1, 'day'));
  return days < 300 ? longDay.format(date) : longDayYear.format(date);
}

/** @param {import('../lib/types.js').Room} room */
export function roomTitle(room) {
  return room.peer?.display_name ?? room.name ?? text.roomFallback;
}

/** @param {string} name @returns {string} one or two characters */
export function initials(name) {
  const words = name.split(/\s+/).map((word) => word.match(/[\p{L}\p{N}]/u)?.[0]).filter(Boolean);
  if (words.length === 0) return [...name.trim()][0] ?? '?';
  const ends = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return ends.join('').toLocaleUpperCase();
}

/**
 * @param {number} id   decides the colour
 * @param {string} name
 */
export function avatar(id, name) {
  return h('span', { class: 'avatar', 'data-hue': id % HUES, 'aria-hidden': 'true' }, initials(name));
}
