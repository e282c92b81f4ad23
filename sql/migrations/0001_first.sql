-- 0001: people, sessions, rooms, messages and the event log.
-- Why: the first schema. Locks: none that matter (everything is new).
-- Older binaries: there are none.

create table chat.person (
  id bigint generated always as identity primary key,
  -- collate "C": prefix search uses the unique index, whatever the database's locale.
  login text collate "C" not null constraint person_login_key unique,
  display_name text not null,
  password_hash text,
  created_at timestamptz not null default now(),
  name_words tsvector generated always as (to_tsvector('simple'::regconfig, display_name)) stored
);
create index person_name_words_idx on chat.person using gin (name_words);
comment on table chat.person is 'People who can log in.';
comment on column chat.person.login is 'Login name in lower case, or a phone number as +digits. A phone number is shown to nobody else.';
comment on column chat.person.password_hash is 'argon2id in libsodium''s text form, made by the workers; null: no log-in by password.';
comment on column chat.person.name_words is 'The display name''s words, for search by prefix.';

create table chat.session (
  id bigint generated always as identity primary key,
  user_id bigint not null references chat.person on delete cascade,
  token_hash bytea not null constraint session_token_hash_key unique
    constraint session_token_hash_size check (octet_length(token_hash) = 32),
  agent text not null default '' constraint session_agent_size check (char_length(agent) <= 200),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null constraint session_expires_at_finite check (isfinite(expires_at))
);
create index session_user_id_idx on chat.session (user_id);
comment on table chat.session is 'Log-ins. Deleting a row ends the session and closes its streams.';
comment on column chat.session.token_hash is 'SHA-256 of the token; the token itself is stored nowhere.';
comment on column chat.session.agent is 'What the client called itself when it logged in.';

create table chat.room (
  id bigint generated always as identity primary key,
  kind text not null constraint room_kind_valid check (kind in ('dialog', 'private', 'public')),
  name text,
  topic text not null default '',
  history text not null default 'all' constraint room_history_valid check (history in ('all', 'since_join')),
  dialog_low bigint references chat.person on delete restrict,
  dialog_high bigint references chat.person on delete restrict,
  created_by bigint references chat.person on delete set null,
  created_at timestamptz not null default now(),
  archived_at timestamptz,
  constraint room_dialog_key unique (dialog_low, dialog_high),
  constraint room_shape check (
    case when kind = 'dialog'
      then dialog_low is not null and dialog_high is not null and dialog_low < dialog_high and name is null
      else dialog_low is null and dialog_high is null and name is not null
    end)
);
create index room_dialog_high_idx on chat.room (dialog_high);
create index room_created_by_idx on chat.room (created_by);
comment on table chat.room is 'Conversations: dialogs of two, private rooms, public rooms.';
comment on column chat.room.history is 'What a member may read: all, or what came since he joined.';
comment on column chat.room.dialog_low is 'Of a dialog''s two people the one with the lower id, so that a pair has one dialog.';
comment on column chat.room.archived_at is 'Since when nobody can write to it; null: open.';

-- Updated by every send, so kept apart from the room, and half empty so that updates stay on the page.
create table chat.room_counter (
  room_id bigint primary key references chat.room on delete cascade,
  last_seq bigint not null default 0,
  first_seq bigint not null default 1,
  last_at timestamptz not null default now()
) with (fillfactor = 50);
comment on table chat.room_counter is
  'One row a room. Its row lock is the room''s lock: chat.room_lock() takes it before anything that has an order in the room.';
comment on column chat.room_counter.last_seq is 'The newest message''s seq; 0: none yet.';
comment on column chat.room_counter.first_seq is 'The lowest seq that retention has left.';
comment on column chat.room_counter.last_at is 'The newest activity: orders the chat list.';

create table chat.member (
  room_id bigint not null references chat.room_counter on delete cascade,
  user_id bigint not null references chat.person on delete cascade,
  role text not null default 'member' constraint member_role_valid check (role in ('owner', 'moderator', 'member')),
  since bigint not null,
  since_seq bigint not null,
  read_seq bigint not null,
  joined_at timestamptz not null default now(),
  primary key (room_id, user_id)
) with (fillfactor = 80);
create index member_user_id_idx on chat.member (user_id);
comment on table chat.member is 'Who is in which room. Insert to let in, delete to remove: triggers tell the room.';
comment on column chat.member.since is 'The event id of the join: only events above it are this member''s.';
comment on column chat.member.since_seq is 'The room''s last_seq at the join: where since_join history begins.';
comment on column chat.member.read_seq is 'Read up to here; unread is last_seq minus this. It only grows.';

create table chat.message (
  room_id bigint not null references chat.room_counter on delete cascade,
  seq bigint not null,
  sender_id bigint references chat.person on delete set null,
  client_id uuid,
  type text not null default 'text',
  body text not null,
  meta jsonb not null default '{}',
  reply_to bigint,
  request_hash bytea,
  at timestamptz not null default clock_timestamp(),
  edited_at timestamptz,
  deleted_at timestamptz,
  primary key (room_id, seq),
  -- Also the index of the reference to person.
  constraint message_client_id_key unique (sender_id, client_id)
);
comment on table chat.message is
  'Messages. A plain INSERT of room_id, sender_id and body is enough: triggers give the seq, check the rules and tell the room.';
comment on column chat.message.seq is 'Gapless number in the room, given by the trigger: the one order of messages.';
comment on column chat.message.sender_id is 'Null only once the sender is erased.';
comment on column chat.message.client_id is 'The sender''s own id of the message: the same one is the same message.';
comment on column chat.message.request_hash is 'Digest of the message as first sent, by which a repeat is told from a reused client_id.';

create sequence chat.event_id_seq cache 1;
create table chat.event (
  id bigint primary key default nextval('chat.event_id_seq'),
  xid xid8 not null,
  room_id bigint,
  user_id bigint,
  type text not null,
  data text not null,
  at timestamptz not null default clock_timestamp(),
  constraint event_has_audience check (room_id is not null or user_id is not null)
);
alter sequence chat.event_id_seq owned by chat.event.id;
create index event_xid_idx on chat.event (xid);
comment on table chat.event is
  'The log of what changed, in the order of id within a room. Read by cursors (chat.cursor_now), never by "id >": commits are not in the order of ids.';
comment on column chat.event.xid is 'The writing transaction, set by trigger: what cursors compare.';
comment on column chat.event.room_id is 'For everybody in this room.';
comment on column chat.event.user_id is 'For this person''s own devices.';
comment on column chat.event.data is 'The JSON text as clients get it.';

create table chat.log_state (
  one boolean primary key default true constraint log_state_one_row check (one),
  epoch text,
  pruned_xid xid8 not null default '0',
  pruned_snapshot pg_snapshot
);
insert into chat.log_state default values;
comment on table chat.log_state is 'One row: which life of the log this is, and how far it was pruned.';
comment on column chat.log_state.epoch is 'chat.epoch() when the log began; cursors of another epoch are void.';
comment on column chat.log_state.pruned_xid is 'The highest xid of an event that was pruned.';
comment on column chat.log_state.pruned_snapshot is 'Only events visible in this snapshot were pruned.';

create table chat.prune_mark (
  at timestamptz primary key,
  snapshot pg_snapshot not null
);
comment on table chat.prune_mark is
  'What a look could see, and when: retention is counted from here, since an event may become visible long after its insertion.';

create type chat.answer as (status int, body text, link text);
comment on type chat.answer is
  'What an api_ function answers: HTTP status, JSON text (null: no body) and the query string of the next page (null: none).';
