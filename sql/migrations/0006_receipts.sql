-- 0006: how far messages were delivered, tickets for streams, and jobs.
-- Why: receipts have two steps; a page that can send neither cookie nor header opens a stream by a ticket; and what
-- must happen once in the world needs a place where it is claimed.
-- Locks: rewrites chat.member under an exclusive lock, about a second for each 200,000 memberships; writes to
-- chat.session wait while its index is built.
-- Older binaries: work; they tell reads only, and poll without a filter.

alter table chat.member add column delivered_seq bigint;
update chat.member set delivered_seq = read_seq;
alter table chat.member
  alter column delivered_seq set not null,
  add constraint member_read_is_delivered check (delivered_seq >= read_seq);
comment on column chat.member.delivered_seq is
  'Came to a device up to here; what was read was delivered. It only grows, and by itself only in small rooms.';

-- What these did is done by functions with other parameters now.
drop function if exists chat.member_read(bigint, bigint, bigint);
drop function if exists chat.event_for(bigint, pg_snapshot);

create index session_expires_at_idx on chat.session (expires_at);

-- Unlogged: a ticket lives for seconds. Making and redeeming it waits for no disk, and a crash, which empties the
-- table, costs a client one more request.
create unlogged table chat.stream_ticket (
  ticket_hash bytea primary key
    constraint stream_ticket_hash_size check (octet_length(ticket_hash) = 32),
  session_id bigint not null references chat.session on delete cascade,
  expires_at timestamptz not null
);
create index stream_ticket_session_id_idx on chat.stream_ticket (session_id);
comment on table chat.stream_ticket is 'Tickets by which a stream is opened for a session, once. Redeeming one deletes its row.';
comment on column chat.stream_ticket.ticket_hash is 'SHA-256 of the ticket; the ticket itself is stored nowhere.';

create table chat.job (
  id bigint generated always as identity primary key,
  kind text not null,
  key text,
  payload jsonb not null default '{}',
  state text not null default 'open' constraint job_state_valid check (state in ('open', 'done', 'failed')),
  run_at timestamptz not null default now(),
  every interval,
  attempts bigint not null default 0,
  attempts_max bigint default 10,
  claimed_by text,
  lease_until timestamptz,
  last_error text,
  ended_at timestamptz,
  constraint job_key_key unique (kind, key),
  constraint job_claim_whole check ((claimed_by is null) = (lease_until is null)),
  constraint job_ended check ((state = 'open') = (ended_at is null) and (state = 'open' or claimed_by is null)),
  constraint job_recurs_for_ever check (every is null or state = 'open' and attempts_max is null)
);
-- Of both the later one is when it may be claimed.
create index job_due_idx on chat.job (kind, greatest(run_at, lease_until)) where state = 'open';
create index job_ended_at_idx on chat.job (ended_at) where ended_at is not null;
comment on table chat.job is
  'What must happen once in the world, however many programs could do it: chat.job_claim gives each job to one of them, for the time of a lease. Failed ones stay visible for 30 days.';
comment on column chat.job.key is 'The adder''s own name for the job: the same kind and key is the same job.';
comment on column chat.job.every is 'It recurs: done, it is open again after so long. Null: done once.';
comment on column chat.job.attempts is 'How often it was claimed; if it recurs, since it was done last.';
comment on column chat.job.attempts_max is 'It has failed when so many attempts have; null: it is tried for ever.';
comment on column chat.job.lease_until is 'Until then it is its claimer''s; later it is anybody''s.';
comment on column chat.job.last_error is 'Why the last attempt failed.';

insert into chat.job (kind, every, attempts_max)
values ('housekeep.sessions', interval '1 minute', null),
       ('housekeep.tickets', interval '1 minute', null),
       ('housekeep.jobs', interval '1 hour', null);
