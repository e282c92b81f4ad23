-- Receipts: how far each member has read a room, and how far its messages came to one of his devices. Marks are
-- absolute, only grow, never pass the newest message, and what was read was delivered. They take no room lock, but
-- the members' own rows, those of several rooms in ascending order.

create or replace function chat.receipts_members() returns int
language sql immutable
as $$
  select 20
$$;
comment on function chat.receipts_members() is
  'In rooms of up to so many members receipts are whole: delivered exists, and a room shows everybody''s marks.';

create or replace function chat.receipt_growth(p_user_id bigint[], p_room_id bigint[], p_kind text[], p_seq bigint[])
returns table (room_id bigint, user_id bigint, old_read bigint, old_delivered bigint, new_read bigint, new_delivered bigint)
language sql stable
as $$
  select m.room_id, m.user_id, m.read_seq, m.delivered_seq,
         greatest(m.read_seq, w.read_seq), greatest(m.delivered_seq, w.read_seq, w.delivered_seq)
    from (select a.user_id, a.room_id,
                 coalesce(max(a.seq) filter (where a.kind = 'read'), 0) as read_seq,
                 coalesce(max(a.seq) filter (where a.kind = 'delivered'), 0) as delivered_seq
            from unnest(p_user_id, p_room_id, p_kind, p_seq) a (user_id, room_id, kind, seq)
           group by a.user_id, a.room_id) a
    join chat.member m on m.room_id = a.room_id and m.user_id = a.user_id
    join chat.room_counter c on c.room_id = m.room_id
   cross join lateral (
         select least(a.read_seq, c.last_seq) as read_seq,
                case when a.delivered_seq > m.delivered_seq and chat.room_is_within(m.room_id, chat.receipts_members())
                  then least(a.delivered_seq, c.last_seq) else 0 end as delivered_seq) w
   where w.read_seq > m.read_seq or w.delivered_seq > m.delivered_seq
$$;
comment on function chat.receipt_growth(bigint[], bigint[], text[], bigint[]) is
  'Which marks would grow if each of these people had, in each of these rooms, read or been delivered (kind) the messages up to seq: old and new marks, one row for a membership. What names no membership has none.';

create or replace function chat.receipts_write(p_user_id bigint[], p_room_id bigint[], p_kind text[], p_seq bigint[]) returns void
language plpgsql
-- A plan for each array would cost several times what it finds.
set plan_cache_mode = force_generic_plan
as $$
begin
  with growth as materialized (
    select g.room_id, g.user_id, g.old_read, g.old_delivered, g.new_read, g.new_delivered
      from chat.receipt_growth(p_user_id, p_room_id, p_kind, p_seq) g
  ), marked as (
    update chat.member m
       set read_seq = g.new_read, delivered_seq = g.new_delivered
      from growth g
     where m.room_id = g.room_id and m.user_id = g.user_id
  )
  insert into chat.event (room_id, user_id, type, data)
  select case when chat.told_to_all(g.room_id) then g.room_id end, g.user_id, t.type, row_to_json(x)::text
    from growth g
   cross join lateral (values ('receipt.read', g.new_read, g.new_read > g.old_read),
                              -- A read that says as much says it alone.
                              ('receipt.delivered', g.new_delivered, g.new_delivered > greatest(g.old_delivered, g.new_read))) t (type, seq, grew)
   cross join lateral (select g.room_id as room, g.user_id as "user", t.seq) x
   where t.grew
   order by g.room_id, g.user_id;
end
$$;
comment on function chat.receipts_write(bigint[], bigint[], text[], bigint[]) is
  'Lets marks grow, and tells so: the room, or in a large one the person''s own devices. The members'' rows are locked already.';

create or replace function chat.receipts_mark(p_user_id bigint, p_room_id bigint[], p_kind text[], p_seq bigint[]) returns void
language plpgsql
-- See receipts_write.
set plan_cache_mode = force_generic_plan
as $$
declare
  v_user_id constant bigint[] := array_fill(p_user_id, array[cardinality(p_room_id)]);
  v_room_id bigint;
begin
  for v_room_id in
    select g.room_id from chat.receipt_growth(v_user_id, p_room_id, p_kind, p_seq) g order by g.room_id
  loop
    perform chat.member_lock(v_room_id, p_user_id);
  end loop;
  if found then
    perform chat.receipts_write(v_user_id, p_room_id, p_kind, p_seq);
  end if;
end
$$;
comment on function chat.receipts_mark(bigint, bigint[], text[], bigint[]) is
  'One person''s receipts, each a room, a kind (read, delivered) and a seq. What does not grow writes nothing; rooms he is not in are passed over.';

create or replace function chat.receipt_json(p_room_id bigint, p_user_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select m.room_id as room, m.read_seq, m.delivered_seq, c.last_seq, c.last_seq - m.read_seq as unread
              from chat.member m join chat.room_counter c on c.room_id = m.room_id
             where m.room_id = p_room_id and m.user_id = p_user_id) x);
end
$$;
comment on function chat.receipt_json(bigint, bigint) is 'A member''s marks in a room as they stand, and what is unread.';

create or replace function chat.receipt_answer(p_user_id bigint, p_room_id bigint, p_kind text, p_seq bigint) returns chat.answer
language plpgsql
as $$
begin
  if p_seq is null then
    perform chat.fail('CF007', 'Say up to which message.', 'seq');
  end if;
  perform chat.receipts_mark(p_user_id, array[p_room_id], array[p_kind], array[p_seq]);
  perform chat.room_member(p_room_id, p_user_id);
  return chat.answered(200, chat.receipt_json(p_room_id, p_user_id));
end
$$;
comment on function chat.receipt_answer(bigint, bigint, text, bigint) is
  'One receipt, and the marks as they then stand; CF003 or CF004 for a non-member.';

create or replace function chat.receipt_complaints(p_user_id bigint, p_items json) returns text[]
language plpgsql stable
as $$
begin
  return array(
    select p.pair
      from json_array_elements(p_items) with ordinality i (item, nth)
     cross join lateral (values
           (1, 'room', case when not chat.json_is_id(i.item -> 'room') then 'This must be an id.'
                            when not exists (select from chat.member
                                              where room_id = (i.item ->> 'room')::bigint and user_id = p_user_id)
                            then 'You are in no such room.' end),
           (2, 'kind', case when coalesce(i.item ->> 'kind', '') not in ('read', 'delivered') then 'This is read or delivered.' end),
           (3, 'seq', case when not chat.json_is_id(i.item -> 'seq') then 'This must be the number of a message.' end)
         ) c (place, field, complaint)
     cross join lateral (values (1, format('items/%s/%s', i.nth - 1, c.field)), (2, c.complaint)) p (half, pair)
     where c.complaint is not null
     order by i.nth, c.place, p.half);
end
$$;
comment on function chat.receipt_complaints(bigint, json) is
  'What is wrong with a list of receipts, {room, kind, seq} each, that this person sends: pairs for chat.fail_fields.';

create or replace function chat.receipts_json(p_room_id bigint) returns json
language plpgsql stable
as $$
begin
  if not chat.room_is_within(p_room_id, chat.receipts_members()) then
    return null;
  end if;
  return (
    select json_agg(row_to_json(x) order by x."user")
      from (select user_id as "user", read_seq, delivered_seq from chat.member where room_id = p_room_id) x);
end
$$;
comment on function chat.receipts_json(bigint) is 'The marks of all members of a small room; null in larger ones.';

create or replace function chat.feed_receipts(p_ord int[], p_session bigint[], p_room bigint[], p_kind text[], p_seq bigint[])
returns table (ord int, code text, seq bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- See receipts_write.
set plan_cache_mode = force_generic_plan
as $$
declare
  -- In the places of the parameters: whose each is, who of them can be written for, and what is somebody else's just now.
  v_user_id bigint[];
  v_writer bigint[];
  v_busy boolean[];
begin
  v_user_id := array(
    select s.user_id
      from unnest(p_session) with ordinality a (session_id, nth)
      left join chat.session s on s.id = a.session_id and s.expires_at > now()
     order by a.nth);
  with growth as (
    select g.room_id, g.user_id from chat.receipt_growth(v_user_id, p_room, p_kind, p_seq) g
  ), locked as (
    -- Nobody is waited for, so one person's open transaction holds up nobody else's receipts.
    select m.room_id, m.user_id
      from growth g join chat.member m on m.room_id = g.room_id and m.user_id = g.user_id
       for no key update of m skip locked
  )
  select array_agg(l.user_id order by a.nth),
         array_agg(g.user_id is not null and l.user_id is null order by a.nth)
    into v_writer, v_busy
    from unnest(v_user_id, p_room) with ordinality a (user_id, room_id, nth)
    left join growth g on g.room_id = a.room_id and g.user_id = a.user_id
    left join locked l on l.room_id = a.room_id and l.user_id = a.user_id;
  if array_remove(v_writer, null) <> '{}' then
    perform chat.receipts_write(v_writer, p_room, p_kind, p_seq);
  end if;
  return query
    select r.ord, r.code, case when r.code is null then r.mark end
      from (select a.ord,
                   case when a.user_id is null then 'unauthenticated'
                        when a.kind is null or a.kind not in ('read', 'delivered') or a.seq is null then 'invalid'
                        when m.user_id is null then
                          case when exists (select from chat.room where id = a.room_id and kind = 'public') then 'forbidden' else 'not_found' end
                        when a.busy then 'room_busy' end as code,
                   case a.kind when 'read' then m.read_seq else m.delivered_seq end as mark
              from unnest(p_ord, v_user_id, p_room, p_kind, p_seq, v_busy) a (ord, user_id, room_id, kind, seq, busy)
              left join chat.member m on m.room_id = a.room_id and m.user_id = a.user_id) r;
end
$$;
comment on function chat.feed_receipts(int[], bigint[], bigint[], text[], bigint[]) is
  'Receipts of many sessions at once: each a session''s id, a room, a kind (read, delivered) and a seq. A row for each, with its ord: code null and the mark as it then stands, or a code: unauthenticated, invalid, forbidden, not_found; room_busy: somebody else holds that mark, say it again. One that fails fails alone.';
