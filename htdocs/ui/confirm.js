// @ts-check
import { h } from './dom.js';
import { text } from './text.js';

/**
 * Asks before something that cannot be undone. Escape means no.
 *
 * @param {string} question
 * @param {string} yes  what the button that does it says
 * @returns {Promise<boolean>}
 */
export function confirmed(question, yes) {
  const dialog = h('dialog', { class: 'confirm', 'aria-labelledby': 'confirm-question' },
    h('form', { method: 'dialog' },
      h('p', { id: 'confirm-question' }, question),
      h('div', { class: 'confirm-buttons' },
        h('button', { class: 'button', value: '' }, text.cancel),
        h('button', { class: 'button danger', value: 'yes' }, yes))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}

/** Whom it was asked of is not here any more: no. */
export function dismiss() {
  /** @type {HTMLDialogElement|null} */ (document.querySelector('dialog.confirm'))?.close('');
}
