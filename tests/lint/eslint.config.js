// @ts-check

import js from '@eslint/js';
import globals from 'globals';

/** Rules for both sides; formatting is not eslint's business. */
const rules = {
  ...js.configs.recommended.rules,
  'default-case-last': 'error',
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-console': 'error',
  'no-control-regex': 'off', // they are looked for on purpose
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-implicit-globals': 'error',
  'no-restricted-syntax': [
    'error',
    { selector: 'ExportDefaultDeclaration', message: 'Exports have names.' },
    { selector: 'AssignmentExpression[left.property.name=/^(inner|outer)HTML$/]', message: 'Text becomes nodes.' },
  ],
  'no-shadow': 'error',
  'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
  'no-use-before-define': ['error', { functions: false, classes: false, variables: false }],
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': 'error',
  'prefer-template': 'error',
};

export default [
  { ignores: ['**/node_modules/**', 'build/**', 'run/**'] },
  { files: ['htdocs/**/*.js'], languageOptions: { globals: globals.browser }, rules },
  { files: ['htdocs/sw.js'], languageOptions: { globals: globals.serviceworker } },
  { files: ['tests/**/*.js'], languageOptions: { globals: { ...globals.node, ...globals.browser } }, rules },
  { files: ['tests/bench/*.js'], rules: { 'no-console': 'off' } },
  // A configuration file has to.
  { files: ['tests/lint/eslint.config.js'], rules: { 'no-restricted-syntax': 'off' } },
];
