-- The chat list and the snapshot.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob \gset
select pg_temp.room('private', 'Room', 'all', :alice, :bob) as room \gset

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
select is(pg_temp.body('api_server()') @> '{"name": "confab", "api": 1, "transports": ["sse", "websocket", "poll"]}', true, 'server');

select finish();
rollback;
