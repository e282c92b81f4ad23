-- Rooms, their lock, and who may see them.

create or replace function chat.room_queue(p_room_id bigint) returns void
language plpgsql
as $$
declare
  c_turned_away_ms constant text := '100';
  v_waiters constant int := coalesce(nullif(current_setting('chat.room_waiters', true), ''), '0');
begin
  if v_waiters > 0 and not exists (
       select from generate_series(1, v_waiters) slot
        where pg_try_advisory_xact_lock(hashint8extended(p_room_id, slot))) then
    perform set_config('lock_timeout', c_turned_away_ms, true);
  end if;
end
$$;
comment on function chat.room_queue(bigint) is
  'Before waiting for something of a room that another transaction holds: of the workers only chat.room_waiters may wait their whole lock_timeout for one room, so that a transaction left open stops one room and not the site; the others wait as long as a busy room needs.';

create or replace function chat.room_lock(p_room_id bigint) returns void
language plpgsql
as $$
begin
  perform from chat.room_counter where room_id = p_room_id for no key update skip locked;
  if not found then
    perform chat.room_queue(p_room_id);
    perform from chat.room_counter where room_id = p_room_id for no key update;
  end if;
end
$$;
comment on function chat.room_lock(bigint) is
  'Takes the room''s lock until the transaction ends: the order of everything in a room is the order of this lock. Check memberships, take a seq and insert events only in statements after it. Several rooms: in ascending id. A room that does not exist is no error here.';

create or replace function chat.room_check() returns trigger
language plpgsql
as $$
begin
  new.name := chat.text_clean(new.name);
  new.topic := chat.text_clean(new.topic);
  perform chat.fail_fields(
    -- A dialog is called after whoever the other one is.
    'name', case when new.kind <> 'dialog' then chat.complaint('name', new.name) end,
    'topic', chat.complaint('topic', new.topic));
  return new;
end
$$;
comment on function chat.room_check() is 'Rules for a room''s texts.';

create or replace function chat.room_count() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into chat.room_counter (room_id) values (new.id);
  return null;
end
$$;
comment on function chat.room_count() is 'Gives a new room its counter row.';

create or replace function chat.room_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.room_lock(old.id);
  return new;
end
$$;
comment on function chat.room_change() is
  'A change of a room has its place in the room''s order: no message after an archiving, whoever archives.';

create or replace trigger room_change before update on chat.room
  for each row execute function chat.room_change();
create or replace trigger room_check before insert or update of name, topic on chat.room
  for each row execute function chat.room_check();
create or replace trigger room_count after insert on chat.room
  for each row execute function chat.room_count();

create or replace function chat.room_refuse(p_room_id bigint) returns void
language plpgsql stable
as $$
begin
  if exists (select from chat.room where id = p_room_id and kind = 'public') then
    perform chat.fail('CF003', 'You are not a member of this room.');
  end if;
  perform chat.fail('CF004', 'There is no such room.');
end
$$;
comment on function chat.room_refuse(bigint) is
  'Raises what a non-member is told: CF003 for a public room; CF004 for any other, as if it did not exist.';

create or replace function chat.room_member(p_room_id bigint, p_user_id bigint) returns chat.member
language plpgsql stable
as $$
declare
  v_member chat.member;
begin
  select * into v_member from chat.member where room_id = p_room_id and user_id = p_user_id;
  if not found then
    perform chat.room_refuse(p_room_id);
  end if;
  return v_member;
end
$$;
comment on function chat.room_member(bigint, bigint) is 'The membership, or CF003 or CF004.';

create or replace function chat.room_is_within(p_room_id bigint, p_members int) returns boolean
language plpgsql stable
as $$
begin
  return (select count(*) from (select from chat.member where room_id = p_room_id limit p_members + 1) few) <= p_members;
end
$$;
comment on function chat.room_is_within(bigint, int) is 'Whether a room has at most so many members. Does not count the others.';

create or replace function chat.told_to_all(p_room_id bigint) returns boolean
language sql stable
as $$
  select chat.room_is_within(p_room_id, coalesce(nullif(current_setting('chat.broadcast_members', true), ''), '100')::int)
$$;
comment on function chat.told_to_all(bigint) is
  'Whether what happens all the time (read marks, presence, typing) is told to everybody in this room: in larger ones than chat.broadcast_members (100, if it is not set) it would be most of the traffic, and is asked for instead.';

create or replace function chat.room_json(p_room_id bigint, p_user_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select r.id, r.kind, r.name, r.topic, r.history,
                   r.archived_at is not null as archived,
                   c.last_seq, c.first_seq, m.read_seq,
                   c.last_seq - m.read_seq as unread,
                   case when m.user_id is not null then 0 end as mentions,
                   m.role,
                   (select count(*) from chat.member where room_id = r.id) as members_count,
                   case when r.kind = 'dialog' then
                     chat.person_brief(case when r.dialog_low = p_user_id then r.dialog_high else r.dialog_low end)
                   end as peer,
                   case when m.user_id is not null then chat.receipts_json(r.id) end as receipts,
                   (select chat.message_json(l) from chat.message l
                     where l.room_id = r.id and l.seq = c.last_seq and chat.history_shows(r, m, l.seq)) as last_message,
                   chat.rfc3339(c.last_at) as last_at
              from chat.room r
              join chat.room_counter c on c.room_id = r.id
              left join chat.member m on m.room_id = r.id and m.user_id = p_user_id
             where r.id = p_room_id) x);
end
$$;
comment on function chat.room_json(bigint, bigint) is
  'A room as this person sees it; read_seq, unread, mentions, role, receipts and last_message are null for one who is not in it.';

create or replace function chat.history_shows(p_room chat.room, p_member chat.member, p_seq bigint) returns boolean
language sql immutable
as $$
  select p_member.user_id is not null and (p_room.history = 'all' or p_seq > p_member.since_seq)
$$;
comment on function chat.history_shows(chat.room, chat.member, bigint) is
  'Whether a member may read the message with this seq: all, or what came since the join.';
