-- 0002: words of names by a function of our own, for the search.
-- Why: the parser of text search took some names for a host or a file, and dropped emoji. Accents do not count now.
-- Locks: rewrites chat.person under an exclusive lock, about a second for each 100,000 people.
-- Older binaries: work; their search finds as before, but for names with accents.

-- No [:punct:], which has emoji in some locales.
create function chat.words(p_text text) returns text[]
language sql immutable
as $$
  select array_remove(regexp_split_to_array(
           -- Combining marks go; then what has none to lose: letters with strokes, ligatures, the sigma of word ends.
           translate(replace(replace(replace(
             lower(regexp_replace(normalize(p_text, nfkd), '[\u0300-\u036f\u064b-\u065f]+', '', 'g')),
             'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'øłđħıς', 'oldhiσ'),
           '[\s!-/:-@\[-`{-~\u00a0\u2000-\u200f\u3000«»„“”‚‘’‹›–—…·、。「」（）]+'), '')
$$;
comment on function chat.words(text) is
  'The words of a name or a search, in lower case and without accents: what stands between spaces and punctuation.';

alter table chat.person
  drop column name_words,
  add column name_words tsvector generated always as (array_to_tsvector(chat.words(display_name))) stored;
create index person_name_words_idx on chat.person using gin (name_words);
comment on column chat.person.name_words is 'The display name''s words, for search by prefix.';
