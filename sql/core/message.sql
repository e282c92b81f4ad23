-- Messages: triggers hold the rules, so that psql, COPY and the workers write alike.

create or replace function chat.message_enter() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_repeated boolean;
  v_archived boolean;
  v_sender_id bigint;
begin
  perform chat.fail_fields(
    'body', chat.complaint('body', new.body),
    'type', chat.complaint('type', new.type),
    'meta', case when jsonb_typeof(new.meta) = 'object' and octet_length(new.meta::text) <= 4096 then null
      else 'Meta is a JSON object of at most 4,096 bytes.' end);
  perform chat.room_lock(new.room_id);
  -- A later statement than the lock's: it sees what was committed while that was waited for. Every
  -- expression and statement here costs each send some microseconds, hence one for all.
  select exists (select from chat.message where sender_id = new.sender_id and client_id = new.client_id),
         r.archived_at is not null,
         m.user_id,
         -- The counter is updated once per statement, so earlier rows of this one count too.
         1 + greatest(c.last_seq, (select max(seq) from chat.message where room_id = new.room_id)),
         clock_timestamp(), null, null
    into v_repeated, v_archived, v_sender_id, new.seq, new.at, new.edited_at, new.deleted_at
    from chat.room_counter c
    join chat.room r on r.id = c.room_id
    left join chat.member m on m.room_id = c.room_id and m.user_id = new.sender_id
   where c.room_id = new.room_id;
  if v_repeated then
    return null;
  end if;
  if v_sender_id is null then
    perform chat.room_refuse(new.room_id);
  end if;
  if v_archived then
    perform chat.fail('CF006', 'This room is archived.');
  end if;
  if new.reply_to is not null then
    if not exists (select from chat.message where room_id = new.room_id and seq = new.reply_to) then
      perform chat.fail('CF007', 'There is no such message in this room.', 'reply_to');
    end if;
  end if;
  return new;
end
$$;
comment on function chat.message_enter() is
  'Checks a new message and gives it the room''s next seq under the room''s lock. A repeat of a client_id is dropped before it takes a seq.';

create or replace function chat.message_tell() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- One statement, since each costs the send path as much as a row of it; and no aggregates, which cost more to set up
  -- than to run.
  with counted as (
    update chat.room_counter c
       set last_seq = a.seq, last_at = a.at
      from (select distinct on (room_id) room_id, seq, at from added order by room_id, seq desc) a
     where c.room_id = a.room_id
  ), marked as (
    -- Whoever writes has read.
    update chat.member m
       set read_seq = a.seq, delivered_seq = a.seq
      from (select distinct on (room_id, sender_id) room_id, sender_id, seq from added order by room_id, sender_id, seq desc) a
     where m.room_id = a.room_id and m.user_id = a.sender_id and m.read_seq < a.seq
  )
  insert into chat.event (room_id, type, data)
  select a.room_id, 'message.new', '{"message":' || chat.message_json(row(a.*)::chat.message) || '}'
    from added a
   order by a.room_id, a.seq;
  return null;
end
$$;
comment on function chat.message_tell() is
  'Once a statement: the rooms'' counters, the senders'' read marks, and last the events (message.new).';

create or replace trigger message_enter before insert on chat.message
  for each row execute function chat.message_enter();
create or replace trigger message_tell after insert on chat.message
  referencing new table as added for each statement execute function chat.message_tell();

-- plpgsql, for its plans are kept: an SQL function would be planned anew by every send.
create or replace function chat.message_json(p_message chat.message) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select p_message.room_id as room,
                   p_message.seq,
                   coalesce((select row_to_json(s)
                               from (select id, display_name from chat.person where id = p_message.sender_id) s),
                            -- of a person who was deleted
                            '{"id":null,"display_name":null}') as sender,
                   p_message.client_id,
                   p_message.type,
                   p_message.body,
                   p_message.meta,
                   p_message.reply_to,
                   '[]'::json as mentions,
                   '{}'::json as reactions,
                   chat.rfc3339(p_message.at) as at,
                   chat.rfc3339(p_message.edited_at) as edited_at,
                   p_message.deleted_at is not null as deleted) x);
end
$$;
comment on function chat.message_json(chat.message) is
  'The one encoder of a message: REST answers, history and events all have its bytes.';
