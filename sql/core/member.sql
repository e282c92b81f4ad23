-- Joining and leaving. Triggers, so that a plain INSERT or DELETE does the same.

create or replace function chat.member_enter() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.room_lock(new.room_id);
  select c.last_seq, c.last_seq, c.last_seq into new.since_seq, new.read_seq, new.delivered_seq
    from chat.room_counter c where c.room_id = new.room_id;
  if not found then
    perform chat.fail('CF004', 'There is no such room.');
  end if;
  if exists (select from chat.room r
              where r.id = new.room_id and r.kind = 'dialog' and new.user_id not in (r.dialog_low, r.dialog_high)) then
    perform chat.fail('CF006', 'A dialog has two people and takes no third.');
  end if;
  new.since := nextval('chat.event_id_seq');
  return new;
end
$$;
comment on function chat.member_enter() is
  'Under the room''s lock: where this membership begins, as an event id and as a seq.';

create or replace function chat.member_tell_join() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into chat.event (id, room_id, user_id, type, data)
  select a.since, a.room_id, a.user_id, 'member.join',
         row_to_json(x)::text
    from added a, lateral (select a.room_id as room, chat.person_brief(a.user_id) as "user", a.role,
                                  a.since_seq as last_seq) x
   order by a.since;
  -- A receipt under way may have an event id below the join's, which the newcomer will not be told of: its mark must
  -- be in his room.new.
  perform from chat.member m
    where m.room_id = any (array(select a.room_id from (select distinct room_id from added) a
                                  where chat.room_is_within(a.room_id, chat.receipts_members())))
    order by m.room_id, m.user_id
      for share;
  insert into chat.event (room_id, user_id, type, data)
  select a.room_id, a.user_id, 'room.new', row_to_json(x)::text
    from added a, lateral (select chat.room_json(a.room_id, a.user_id) as room) x
   order by a.since;
  return null;
end
$$;
comment on function chat.member_tell_join() is
  'Tells each room who came (member.join), and the newcomer''s devices what the room is (room.new).';

create or replace function chat.member_leave() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.room_lock(old.room_id);
  return old;
end
$$;
comment on function chat.member_leave() is 'A leave has its place in the room''s order: no event after it reaches the leaver.';

create or replace function chat.member_tell_leave() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into chat.event (room_id, user_id, type, data)
  select r.room_id, r.user_id, 'member.leave', row_to_json(x)::text
    from removed r, lateral (select r.room_id as room, chat.person_brief(r.user_id) as "user") x
   order by r.room_id, r.user_id;
  return null;
end
$$;
comment on function chat.member_tell_leave() is 'Tells the room and the leaver''s devices (member.leave).';

create or replace trigger member_enter before insert on chat.member
  for each row execute function chat.member_enter();
create or replace trigger member_tell_join after insert on chat.member
  referencing new table as added for each statement execute function chat.member_tell_join();
create or replace trigger member_leave before delete on chat.member
  for each row execute function chat.member_leave();
create or replace trigger member_tell_leave after delete on chat.member
  referencing old table as removed for each statement execute function chat.member_tell_leave();

create or replace function chat.member_lock(p_room_id bigint, p_user_id bigint) returns void
language plpgsql
as $$
begin
  -- A send that is under way holds its sender's row.
  perform from chat.member where room_id = p_room_id and user_id = p_user_id for no key update skip locked;
  if not found then
    perform chat.room_queue(p_room_id);
    perform from chat.member where room_id = p_room_id and user_id = p_user_id for no key update;
  end if;
end
$$;
comment on function chat.member_lock(bigint, bigint) is
  'Takes the lock of one membership, which is not the room''s. Several: in ascending order of rooms. One that does not exist is no error here.';

create or replace function chat.member_json(p_room_id bigint, p_user_id bigint, p_viewer_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select chat.person_json(p, p_viewer_id) as "user", m.role, chat.rfc3339(m.joined_at) as joined_at, m.read_seq
              from chat.member m join chat.person p on p.id = m.user_id
             where m.room_id = p_room_id and m.user_id = p_user_id) x);
end
$$;
comment on function chat.member_json(bigint, bigint, bigint) is 'A membership as the viewer may see it.';

create or replace function chat.unread_json(p_user_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select json_build_object(
             'total', coalesce(sum(c.last_seq - m.read_seq), 0),
             'rooms', coalesce(json_agg(json_build_object('room', m.room_id, 'unread', c.last_seq - m.read_seq)
                                        order by m.room_id), '[]'))
      from chat.member m join chat.room_counter c on c.room_id = m.room_id
     where m.user_id = p_user_id and c.last_seq > m.read_seq);
end
$$;
comment on function chat.unread_json(bigint) is 'What this person has not read: {total, rooms: [{room, unread}]}.';
