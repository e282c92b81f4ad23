-- Read marks, unread counts, the chat list and the snapshot.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol \gset
select pg_temp.room('private', 'Room', 'all', :alice, :bob) as room, pg_temp.room('public', 'Lobby', 'all', :carol) as lobby \gset
insert into chat.message (room_id, sender_id, body) select :room, :alice, 'm' || i from generate_series(1, 5) i;

create function pg_temp.read(p_who text, p_room bigint, p_seq bigint) returns text language sql as $$
  select concat_ws(' ', b ->> 'read_seq', b ->> 'last_seq', b ->> 'unread')
    from pg_temp.body(format('api_read(pg_temp.token(%L), %s, %L)', p_who, p_room, p_seq)) b
$$;
create function pg_temp.receipts() returns bigint language sql security definer as $$
  select count(*) from chat.event where type = 'receipt.read'
$$;
set local role confab_worker;

-- Whoever writes has read; the others have not.
select is(pg_temp.body('api_unread(pg_temp.token(''alice''))'), '{"total": 0, "rooms": []}', 'the writer has nothing unread');
select is(pg_temp.body('api_unread(pg_temp.token(''bob''))'), jsonb_build_object('total', 5, 'rooms', jsonb_build_array(jsonb_build_object('room', :room, 'unread', 5))),
  'the reader has');
select is(pg_temp.receipts(), 0::bigint, 'a send is its own receipt');

-- Marks only grow, and never pass the newest message.
select is(pg_temp.read('bob', :room, s), r, format('bob reads up to %s: read, last, unread are %s', s, r)) from (values (2, '2 5 3')) v (s, r);
select is(pg_temp.receipts(), 1::bigint, 'a mark that grew is told');
select is(pg_temp.read('bob', :room, s), r, format('bob reads up to %s: read, last, unread are %s', s, r))
  from (values (1, '2 5 3'), (2, '2 5 3'), (0, '2 5 3'), (-7, '2 5 3')) v (s, r);
select is(pg_temp.receipts(), 1::bigint, 'one that did not is not');
select is(pg_temp.read('bob', :room, 9223372036854775807), '5 5 0', 'a mark stops at the newest message');
select is(pg_temp.receipts(), 2::bigint, 'and is told as it stands');
select is(pg_temp.outcome(format('api_read(pg_temp.token(''bob''), %s, null)', :room)), 'CF007 seq', 'null is no place');
select is(pg_temp.outcome(format('api_read(pg_temp.token(%L), %s, 1)', w, r)), e, format('%s: %s', w, e))
  from (values ('carol', :room, 'CF004'), ('alice', :lobby, 'CF003'), ('alice', 0, 'CF004')) v (w, r, e);
reset role;
select is((select (room_id, user_id, data::jsonb - 'eid') from chat.event where type = 'receipt.read' order by id desc limit 1),
  (:room::bigint, :bob::bigint, jsonb_build_object('room', :room, 'user', :bob, 'seq', 5)), 'a receipt goes to the room, with the mark itself');
insert into chat.member (room_id, user_id) select :lobby, pg_temp.person('crowd' || i) from generate_series(1, 99) i;
insert into chat.message (room_id, sender_id, body) values (:lobby, :carol, 'one'), (:lobby, :carol, 'two');
select is(chat.member_read(:lobby, id, 1), 1::bigint, 'a mark in a room of 100') from chat.person where login = 'crowd1';
select is((select room_id from chat.event order by id desc limit 1), :lobby::bigint, 'is told to the room');
insert into chat.member (room_id, user_id) values (:lobby, :bob);
select is(chat.member_read(:lobby, id, 2), 2::bigint, 'a mark in a larger room') from chat.person where login = 'crowd1';
select is((select (room_id, user_id) from chat.event order by id desc limit 1), (select (null::bigint, id) from chat.person where login = 'crowd1'),
  'is told to one''s own devices only');
select is(chat.member_read(:lobby, :alice, 1), null, 'a non-member has no mark');
select is((select (read_seq, since_seq) from chat.member where room_id = :lobby and user_id = :bob), (2::bigint, 2::bigint), 'a join starts with nothing unread');

-- The chat list: newest activity first.
select pg_temp.room('private', 'R' || i, 'all', :alice, :bob) from generate_series(1, 7) i;
\o /dev/null
insert into chat.message (room_id, sender_id, body) select id, :bob, 'in ' || name from chat.room where name ~ '^R' order by (id * 5) % 7;
\o
update chat.room_counter c set last_at = now() + make_interval(secs => (r.id * 5) % 7) from chat.room r where r.id = c.room_id and r.name ~ '^R';
update chat.room_counter set last_at = now() - interval '1 hour' where room_id = :room;
set local role confab_worker;
select is(pg_temp.pages('api_room_list(pg_temp.token(''alice''), 3, %s)', 'before', 'id'),
  (select string_agg(p, ' | ' order by g) from (
     select (n - 1) / 3 as g, string_agg(i ->> 'id', ' ' order by n) as p
       from jsonb_array_elements(pg_temp.body('api_room_list(pg_temp.token(''alice''), null, null)') -> 'items') with ordinality e (i, n) group by 1) x),
  'pages of the chat list, by their links, are the whole one');
select is((select array_agg(i ->> 'last_at' order by n) from jsonb_array_elements(pg_temp.body('api_room_list(pg_temp.token(''alice''), null, null)') -> 'items') with ordinality e (i, n)),
  (select array_agg(i ->> 'last_at' order by i ->> 'last_at' desc) from jsonb_array_elements(pg_temp.body('api_room_list(pg_temp.token(''alice''), null, null)') -> 'items') i),
  'newest activity first');
select is(pg_temp.body('api_room_list(pg_temp.token(''alice''), 1, null)') #> '{items,0}' @> '{"unread": 1, "read_seq": 0, "last_seq": 1, "last_message": {"seq": 1, "sender": {"display_name": "Bob"}}}',
  true, 'each with its last message and unread count');
select is(pg_temp.outcome(format('api_room_list(pg_temp.token(''alice''), 3, %L)', p)), 'CF012', format('%L is no place', p)) from unnest(array['', 'x', '1.2.3', '1']) p;

-- The snapshot is all of that at once.
select is(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') - '{cursor,at}'::text[],
  jsonb_build_object('user', pg_temp.body('api_me(pg_temp.token(''alice''))'), 'session', pg_temp.body('api_session(pg_temp.token(''alice''))') -> 'session',
    'rooms', pg_temp.body('api_room_list(pg_temp.token(''alice''), 200, null)') -> 'items', 'unread', pg_temp.body('api_unread(pg_temp.token(''alice''))'), 'presence', '[]'::jsonb),
  'a snapshot: me, my session, my rooms, what is unread');
select matches(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') ->> 'cursor', '^[0-9a-f]{8}-\d+:\d+:[0-9,]*$', 'and a cursor');
reset role;
select pg_temp.person('loner');
set local role confab_worker;
select is(pg_temp.body('api_snapshot(pg_temp.token(''loner''))') -> 'rooms', '[]', 'one without rooms has an empty list');

-- A last message that one may not read is not shown.
reset role;
select pg_temp.room('private', 'Since', 'since_join', :alice) as since \gset
insert into chat.message (room_id, sender_id, body) values (:since, :alice, 'secret');
insert into chat.member (room_id, user_id) values (:since, :bob);
select is(chat.room_json(:since, :bob)::jsonb @> '{"last_seq": 1, "unread": 0, "last_message": null}', true, 'no message from before one joined, where history is since_join');
select is(chat.room_json(:since, :alice)::jsonb #>> '{last_message,body}', 'secret', 'which its sender sees');

-- The rest of the API.
set local role confab_worker;
select is(pg_temp.called('api_health()'), row(200, '{"status":"ok"}', null)::chat.answer, 'health');
select is(pg_temp.body('api_server()') @> '{"name": "confab", "api": 1, "transports": ["sse", "poll"]}', true, 'server');

select finish();
rollback;
