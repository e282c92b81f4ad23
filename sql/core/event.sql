-- Writing to the log: whoever inserts, the same stamp, the same durability, the same doorbell.

create or replace function chat.event_durable() returns trigger
language plpgsql
as $$
begin
  -- Cursors rely on it: what a look has seen must outlive a crash. Never weakens a stronger setting.
  if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  return null;
end
$$;
comment on function chat.event_durable() is 'Makes the transaction that writes to the log commit synchronously.';

create or replace function chat.event_stamp() returns trigger
language plpgsql
as $$
begin
  new.xid := pg_current_xact_id();
  new.data := '{"eid":' || new.id || case when new.data = '{}' then '}' else ',' || substr(new.data, 2) end;
  return new;
end
$$;
comment on function chat.event_stamp() is 'Sets the writing transaction and puts the event''s id into its JSON as eid.';

create or replace function chat.event_ring() returns trigger
language plpgsql
as $$
begin
  if coalesce(current_setting('chat.ring', true), '') <> 'off' then
    perform pg_notify('chat_event', '');
  end if;
  return null;
end
$$;
comment on function chat.event_ring() is
  'The doorbell: tells the push daemons to look, once a statement, without data. A lost ring costs a second, never an event.';

create or replace trigger event_durable before insert on chat.event
  for each statement execute function chat.event_durable();
create or replace trigger event_stamp before insert on chat.event
  for each row execute function chat.event_stamp();
create or replace trigger event_ring after insert on chat.event
  for each statement execute function chat.event_ring();
