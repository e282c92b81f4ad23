// @ts-check

/** Every text that people see, so that it can be read, corrected and translated in one place. */

const plural = new Intl.PluralRules('en');

/** @param {number} n @param {string} one @param {string} other */
const counted = (n, one, other) => `${n} ${plural.select(n) === 'one' ? one : other}`;

export const text = Object.freeze({
  appName: 'Confab',
  tagline: 'A quiet place to talk.',

  logIn: 'Log in',
  register: 'Create account',
  login: 'Username',
  loginHint: 'Small letters, digits, dots and dashes. This is how people find you.',
  password: 'Password',
  passwordHint: 'At least 8 characters.',
  passwordTooLong: 'This password is too long.',
  required: 'Please fill this in.',
  displayName: 'Your name',
  displayNameHint: 'Shown to the people you talk to.',
  showPassword: 'Show',
  hidePassword: 'Hide',
  accountMode: 'Log in or create an account',
  loginTaken: 'This username is taken.',
  wrongCredentials: 'Username or password is wrong.',
  sessionOver: 'You have been logged out. Please log in again.',
  tryLater: (/** @type {number} */ seconds) => `Too many attempts. Try again in ${counted(seconds, 'second', 'seconds')}.`,
  cookiesRefused: 'The browser did not keep the log-in. Please allow cookies for this site.',
  unreachable: 'The server cannot be reached. Check your connection and try again.',
  serverTrouble: 'The server has a problem. Try again in a moment.',
  refused: 'That did not work.',

  cancel: 'Cancel',
  logOut: 'Log out',
  logOutFailed: 'Logging out did not work: the server does not answer as it should. You are still logged in.',
  logOutUnsent: (/** @type {number} */ n) =>
    `${counted(n, 'message has', 'messages have')} not been sent yet. Log out and discard ${n === 1 ? 'it' : 'them'}?`,

  chats: 'Chats',
  noChats: 'No chats yet',
  noChatsHint: 'Find someone by name above, and say hello.',
  loadingChats: 'Loading chats',
  noMessagesYet: 'No messages yet',
  you: 'You',
  unread: (/** @type {number} */ n) => counted(n, 'unread message', 'unread messages'),
  roomFallback: 'Unnamed room',
  deletedPerson: 'Deleted account',

  search: 'Find people',
  searchResults: 'People found',
  searching: 'Searching…',
  nobodyFound: (/** @type {string} */ query) => `Nobody found for “${query}”.`,
  peopleFound: (/** @type {number} */ n) => counted(n, 'person found', 'people found'),
  searchFailed: 'The search did not work. Try again.',
  clearSearch: 'Clear search',

  back: 'Back to the chats',
  members: (/** @type {number} */ n) => counted(n, 'member', 'members'),
  nothingOpen: 'Choose a chat',
  nothingOpenHint: 'Or find someone by name to start a new one.',
  noSuchRoom: 'This chat is not available',
  noSuchRoomHint: 'It may have been removed, or you are not a member any more.',
  conversationWith: (/** @type {string} */ name) => `Conversation with ${name}`,
  sayHello: (/** @type {string} */ name) => `Say hello to ${name}`,
  sayHelloHint: 'What you write here is only between the two of you.',
  loadingMessages: 'Loading messages',
  historyFailed: 'The messages could not be loaded.',
  tryAgain: 'Try again',
  newMessages: 'New messages',
  toLatest: 'Jump to the latest message',
  toLatestNew: (/** @type {number} */ n) => `${counted(n, 'new message', 'new messages')}. Jump to the latest`,
  catchingUp: 'Loading missed messages…',
  showMore: 'Show more',
  showLess: 'Show less',
  incoming: (/** @type {string} */ name, /** @type {string} */ body) => `${name}: ${body}`,
  today: 'Today',

  pending: 'Sending',
  sent: 'Sent',
  read: 'Read',
  failed: 'Not sent.',
  retry: 'Retry',
  discard: 'Discard',

  write: 'Write a message',
  writeTo: (/** @type {string} */ name) => `Message ${name}`,
  send: 'Send',
  composerHint: 'Enter sends, Shift and Enter begins a new line.',
  charactersLeft: (/** @type {number} */ n) => `${counted(n, 'character', 'characters')} left`,
  tooLong: (/** @type {number} */ n) => `${counted(n, 'character', 'characters')} too many`,

  live: 'Live',
  livePolling: 'Live, a little slower',
  connecting: 'Connecting…',
  offline: 'Offline',
  connectionLost: 'No connection to the server.',
  retryingNow: 'Trying again…',
  retryingIn: (/** @type {number} */ seconds) => `Trying again in ${seconds} s.`,
  deviceOffline: 'You are offline. What you write is kept, and sent later.',
  retryNow: 'Retry now',

  title: (/** @type {number} */ unread) => (unread ? `(${unread}) Confab` : 'Confab'),
});
