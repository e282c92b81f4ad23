-- The frame that migrations are kept in. Applied first and every time.

create schema if not exists chat;
comment on schema chat is
  'Confab. Tables hold the state, triggers the rules for every INSERT, api_* functions serve the REST workers, feed_* the push daemon.';

create table if not exists chat.migration (
  version int primary key,
  name text not null,
  applied_at timestamptz not null default now()
);
comment on table chat.migration is 'Schema versions that this database has been through.';

create or replace function chat.migration_check(p_newest int) returns void
language plpgsql stable
as $$
begin
  if exists (select from chat.migration where version > p_newest) then
    raise exception 'this database is newer than the release that tries to migrate it'
      using hint = 'Use the release that matches the database, or a later one.';
  end if;
end
$$;
comment on function chat.migration_check(int) is 'Refuses to run an older release''s migrations over a newer schema.';
