-- What is written to the log, for whom, and in which order.
begin;
\ir ../fixture.psql
select no_plan();

create function pg_temp.log() returns table (id bigint, room text, "user" text, type text, data jsonb) language sql as $$
  select e.id, r.name, p.login, e.type, e.data::jsonb - 'eid'
    from chat.event e left join chat.room r on r.id = e.room_id left join chat.person p on p.id = e.user_id
   order by e.id
$$;
select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob \gset
select is_empty('select pg_temp.log()', 'people and sessions are no events');

insert into chat.room (kind, name) values ('private', 'Room') returning id as room \gset
insert into chat.member (room_id, user_id, role) values (:room, :alice, 'owner'), (:room, :bob, 'member');
insert into chat.message (room_id, sender_id, body) values (:room, :alice, 'one'), (:room, :bob, 'two');
select chat.receipts_mark(:alice, array[:room], '{read}', '{2}');
delete from chat.member where user_id = :bob;
delete from chat.session where user_id = :bob;
select results_eq('select room, "user", type from pg_temp.log()', $$values
  ('Room', 'alice', 'member.join'), ('Room', 'bob', 'member.join'), ('Room', 'alice', 'room.new'), ('Room', 'bob', 'room.new'),
  ('Room', null, 'message.new'), ('Room', null, 'message.new'), ('Room', 'alice', 'receipt.read'), ('Room', 'bob', 'member.leave'), (null, 'bob', 'session.end')$$,
  'the log tells what happened, in order, each to its audience');
select is((select array_agg(data order by id) from pg_temp.log() where type like 'member.%'), array[
  jsonb_build_object('room', :room, 'user', jsonb_build_object('id', :alice, 'display_name', 'Alice'), 'role', 'owner', 'last_seq', 0),
  jsonb_build_object('room', :room, 'user', jsonb_build_object('id', :bob, 'display_name', 'Bob'), 'role', 'member', 'last_seq', 0),
  jsonb_build_object('room', :room, 'user', jsonb_build_object('id', :bob, 'display_name', 'Bob'))]::jsonb[], 'joins and leaves');
select is((select data #>> '{room,role}' from pg_temp.log() where type = 'room.new' and "user" = 'alice'), 'owner', 'a room as the newcomer sees it');
select is_empty($$select from chat.event where data !~ ('^[{]"eid":' || id || ',"') or data ~ '[\n\r]' or xid <> pg_current_xact_id()$$,
  'an event is JSON on one line, with its id first, stamped with its transaction');
select is_empty(format('select from chat.event e where room_id = %s and type = ''message.new'' and id <= (select max(since) from chat.member)', :room),
  'what is after a join has a higher id than the join');

-- The id of a join is where the membership begins.
insert into chat.member (room_id, user_id) values (:room, :bob);
select is((select since from chat.member where user_id = :bob), (select max(id) from chat.event where type = 'member.join'), 'since is the event of the join');
select is((select array_agg(type order by id) from chat.event_for(:bob, '1:1:', null) where room_id = :room), array['member.leave', 'member.join', 'room.new'],
  'who comes back sees of the room his leave, and what is after his return');
delete from chat.member where user_id = :bob;
select is((select string_agg(type, ' ' order by id) from chat.event_for(:bob, '1:1:', null)), 'member.leave session.end member.leave',
  'who left sees of the room that he left');

-- Who writes to the log commits synchronously.
set local synchronous_commit = off;
insert into chat.event (user_id, type, data) values (:alice, 'test', '{}');
select is(current_setting('synchronous_commit'), 'on', 'an event makes its transaction durable');
set local synchronous_commit = remote_apply;
insert into chat.event (user_id, type, data) values (:alice, 'test', '{"a":1}');
select is(current_setting('synchronous_commit'), 'remote_apply', 'a stronger setting stays');
select is((select array_agg(data order by id) from chat.event where type = 'test'),
  (select array_agg(case d when '' then format('{"eid":%s}', id) else format('{"eid":%s,"a":1}', id) end order by id)
     from (select id, case when data like '%"a"%' then 'a' else '' end as d from chat.event where type = 'test') x), 'an empty object is stamped as well');
select throws_ok($$insert into chat.event (type, data) values ('test', '{}')$$, '23514', null, 'an event is for somebody');
select is((select xid from chat.event order by id desc limit 1), pg_current_xact_id(), 'the stamp is nobody''s choice');
insert into chat.event (xid, user_id, type, data) values ('3', :alice, 'forged', '{}');
select is((select xid from chat.event where type = 'forged'), pg_current_xact_id(), 'even if tried');

-- So does a person; the room knows who that was by the id.
insert into chat.member (room_id, user_id) values (:room, :bob);
delete from chat.person where id = :bob;
select is((select data #> '{user}' from pg_temp.log() order by id desc limit 1),
  jsonb_build_object('id', :bob, 'display_name', null), 'a deleted person leaves his rooms');
select results_eq(format('select chat.message_json(m)::jsonb -> ''sender'' from chat.message m where room_id = %s and seq = 2', :room),
  $$values ('{"id":null,"display_name":null}'::jsonb)$$, 'and his messages stay, without him');

-- A room that is deleted takes its memberships along, and tells so.
delete from chat.room where id = :room;
select is((select (type, user_id) from chat.event order by id desc limit 1), ('member.leave'::text, :alice::bigint), 'the members of a deleted room are told that they left');

select finish();
rollback;
