-- 0005: who is online, and who is typing.
-- Why: presence and typing. Leases and typing are unlogged: they are written all the time, and a crash that empties
-- them costs nothing, since whoever is connected is held again before anything is concluded from a lease that is missing.
-- Locks: none that matter (everything is new).
-- Older binaries: work; a daemon of before holds nobody.

create table chat.presence (
  user_id bigint primary key references chat.person on delete cascade,
  online boolean not null default false,
  last_seen timestamptz not null default now()
) with (fillfactor = 80);
create index presence_online_idx on chat.presence (user_id) where online;
comment on table chat.presence is
  'Who was ever online. Ask chat.presence_now, which knows about leases. A row''s lock is the person''s: under it the first lease is written, the last one swept, and the change told.';
comment on column chat.presence.online is 'What was told last.';
comment on column chat.presence.last_seen is 'While online: since when.';

-- Half empty, and no index on a time: a renewal then stays on its page.
create unlogged table chat.lease (
  user_id bigint not null references chat.person on delete cascade,
  holder text not null constraint lease_holder_size check (char_length(holder) between 1 and 64),
  until timestamptz not null,
  seen_at timestamptz not null,
  primary key (user_id, holder)
) with (fillfactor = 50);
comment on table chat.lease is
  'Who is connected, and to which daemon: online is who has a lease that has not run out. One is inserted only under the lock of the person''s presence.';
comment on column chat.lease.holder is 'The daemon, by a name that is new with each start; or poll.';
comment on column chat.lease.seen_at is 'When the person was last known to be there.';

create unlogged table chat.lease_watch (
  one boolean primary key default true constraint lease_watch_one_row check (one),
  lease interval not null,
  swept_at timestamptz not null,
  sure_at timestamptz not null
);
comment on table chat.lease_watch is
  'One row, or none after a crash: from when on a lease that is missing means anything. Its lock is that of whoever sweeps.';
comment on column chat.lease_watch.lease is 'How long a lease lasts.';
comment on column chat.lease_watch.swept_at is 'When somebody last swept.';
comment on column chat.lease_watch.sure_at is 'By then everybody who is connected has been held again, since leases were lost or nobody swept.';

create unlogged table chat.typing (
  room_id bigint not null,
  user_id bigint not null,
  state text not null constraint typing_state_valid check (state in ('start', 'stop')),
  started_at timestamptz not null,
  primary key (room_id, user_id),
  constraint typing_member_fkey foreign key (room_id, user_id) references chat.member on delete cascade
) with (fillfactor = 50);
comment on table chat.typing is 'What of a member''s typing was told last, so that it is not told all the time.';
comment on column chat.typing.started_at is 'When a start was last told.';
