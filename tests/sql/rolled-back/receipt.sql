-- Receipts, unread counts, and what is told of them.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol \gset
select pg_temp.room('private', 'Room', 'all', :alice, :bob) as room, pg_temp.room('public', 'Lobby', 'all', :carol) as lobby \gset
insert into chat.message (room_id, sender_id, body) select :room, :alice, 'm' || i from generate_series(1, 5) i;

-- A receipt by REST: the marks as they then stand.
create function pg_temp.put(p_kind text, p_who text, p_room bigint, p_seq bigint) returns text language sql as $$
  select concat_ws(' ', b ->> 'read_seq', b ->> 'delivered_seq', b ->> 'last_seq', b ->> 'unread')
    from pg_temp.body(format('api_%s(pg_temp.token(%L), %s, %L)', p_kind, p_who, p_room, p_seq)) b
$$;
-- What was told since it was last asked.
create table pg_temp.told (id bigint);
create function pg_temp.told() returns text language plpgsql security definer as $$
declare
  v_told text;
begin
  select string_agg(concat_ws(' ', substr(e.type, 9), p.login, e.data::json ->> 'seq', coalesce(r.name, 'own')), ', ' order by e.id) into v_told
    from chat.event e join chat.person p on p.id = e.user_id left join chat.room r on r.id = e.room_id
   where e.type like 'receipt.%' and e.id > (select coalesce(max(id), 0) from pg_temp.told);
  insert into pg_temp.told select max(id) from chat.event;
  return coalesce(v_told, '');
end
$$;
set local role confab_worker;

-- Whoever writes has read; the others have not.
select is(pg_temp.body('api_unread(pg_temp.token(''alice''))'), '{"total": 0, "rooms": []}', 'the writer has nothing unread');
select is(pg_temp.body('api_unread(pg_temp.token(''bob''))'), jsonb_build_object('total', 5, 'rooms', jsonb_build_array(jsonb_build_object('room', :room, 'unread', 5))),
  'the reader has');
select is(pg_temp.told(), '', 'a send is its own receipt');

-- Marks only grow, and never pass the newest message; what was read was delivered.
select is(pg_temp.put(k, 'bob', :room, s), m, format('%s up to %s: read, delivered, last, unread are %s', k, s, m)) || E'\n' ||
       is(pg_temp.told(), t, format('and told is: %s', t))
  from (values (1, 'delivered', 2, '0 2 5 5', 'delivered bob 2 Room'), (2, 'delivered', 2, '0 2 5 5', ''), (3, 'delivered', 1, '0 2 5 5', ''),
               (4, 'read', 1, '1 2 5 4', 'read bob 1 Room'), (5, 'read', 3, '3 3 5 2', 'read bob 3 Room'), (6, 'delivered', 3, '3 3 5 2', ''),
               (7, 'read', 1, '3 3 5 2', ''), (8, 'read', 0, '3 3 5 2', ''), (9, 'read', -7, '3 3 5 2', ''), (10, 'delivered', -7, '3 3 5 2', ''),
               (11, 'delivered', 9223372036854775807, '3 5 5 2', 'delivered bob 5 Room'), (12, 'read', 9223372036854775807, '5 5 5 0', 'read bob 5 Room'),
               (13, 'read', 9223372036854775807, '5 5 5 0', '')) v (o, k, s, m, t);
select is(pg_temp.outcome(format('api_%s(pg_temp.token(''bob''), %s, null)', k, :room)), 'CF007 seq', 'null is no place') from unnest(array['read', 'delivered']) k;
select is(pg_temp.outcome(format('api_%s(pg_temp.token(%L), %s, 1)', k, w, r)), e, format('%s %s: %s', k, w, e))
  from (values ('carol', :room, 'CF004'), ('alice', :lobby, 'CF003'), ('alice', 0, 'CF004')) v (w, r, e), unnest(array['read', 'delivered']) k;
reset role;
select is((select (room_id, user_id, data::jsonb - 'eid') from chat.event where type = 'receipt.read' order by id desc limit 1),
  (:room::bigint, :bob::bigint, jsonb_build_object('room', :room, 'user', :bob, 'seq', 5)), 'a receipt goes to the room, with the mark itself');
select is(chat.room_json(:room, :alice)::jsonb -> 'receipts', jsonb_build_array(
    jsonb_build_object('user', :alice, 'read_seq', 5, 'delivered_seq', 5), jsonb_build_object('user', :bob, 'read_seq', 5, 'delivered_seq', 5)), 'a room shows everybody''s marks');
select throws_ok('update chat.member set delivered_seq = read_seq - 1', '23514', null, 'what was read was delivered');

-- Rooms of up to 20: whole. Of up to 100: who read is told. Larger: to one's own devices.
create function pg_temp.grow(p_room bigint, p_to int) returns void language sql as $$
  insert into chat.member (room_id, user_id)
  select p_room, pg_temp.person('crowd' || i) from generate_series((select count(*) from chat.member where room_id = p_room), p_to - 1) i;
$$;
insert into chat.member (room_id, user_id) values (:lobby, pg_temp.person('dave'));
insert into chat.message (room_id, sender_id, body) select :lobby, :carol, 'm' || i from generate_series(1, 9) i;
create function pg_temp.in_room_of(p_members int, p_seq bigint) returns text language plpgsql as $$
declare
  v_room_id constant bigint := (select id from chat.room where name = 'Lobby');
begin
  perform pg_temp.grow(v_room_id, p_members), pg_temp.told();
  return concat_ws('; ', pg_temp.put('delivered', 'dave', v_room_id, p_seq), pg_temp.told(), pg_temp.put('read', 'dave', v_room_id, p_seq), pg_temp.told(),
    json_array_length(nullif((chat.room_json(v_room_id, (select id from chat.person where login = 'dave')) ->> 'receipts'), '')::json));
end
$$;
select is(pg_temp.in_room_of(n, s), r, format('in a room of %s', n))
  from (values (20, 1, '0 1 9 9; delivered dave 1 Lobby; 1 1 9 8; read dave 1 Lobby; 20'),
               (21, 2, '1 1 9 8; ; 2 2 9 7; read dave 2 Lobby'), (100, 3, '2 2 9 7; ; 3 3 9 6; read dave 3 Lobby'),
               (101, 4, '3 3 9 6; ; 4 4 9 5; read dave 4 own')) v (n, s, r);
select is((select (read_seq, delivered_seq, since_seq) from chat.member m join chat.person p on p.id = m.user_id where login = 'crowd90'), (9::bigint, 9::bigint, 9::bigint),
  'a join starts with nothing unread');

-- Several rooms at once: all or nothing.
select pg_temp.room('private', 'Two', 'all', :alice, :bob) as two \gset
insert into chat.message (room_id, sender_id, body) select :two, :alice, 'm' || i from generate_series(1, 5) i;
insert into chat.message (room_id, sender_id, body) values (:room, :alice, 'm6');
select pg_temp.told() \g /dev/null
create function pg_temp.post(p_items text) returns text language sql as $$
  select string_agg(concat_ws(' ', r.name, b ->> 'read_seq', b ->> 'delivered_seq', b ->> 'last_seq', b ->> 'unread'), ', ' order by n)
    from jsonb_array_elements(pg_temp.body(format('api_receipts(pg_temp.token(''bob''), %L)', p_items)) -> 'items') with ordinality i (b, n)
    join chat.room r on r.id = (b ->> 'room')::bigint
$$;
select is(pg_temp.post(format('[{"room":%2$s,"kind":"read","seq":2},{"room":%1$s,"kind":"delivered","seq":6},{"room":%2$s,"kind":"delivered","seq":4},{"room":%2$s,"kind":"read","seq":1}]', :room, :two)),
  'Room 5 6 6 1, Two 2 4 5 3', 'receipts of several rooms, of both kinds, some of them twice');
select is(pg_temp.told(), 'delivered bob 6 Room, read bob 2 Two, delivered bob 4 Two', 'each mark that grew is told once');
select is(pg_temp.post(format('[{"room":%s,"kind":"read","seq":2}]', :two)), 'Two 2 4 5 3', 'again');
select is(pg_temp.told(), '', 'nothing grows, and nothing is told');
create function pg_temp.refused(p_items text) returns text language plpgsql as $$
declare
  v_detail text;
begin
  perform chat.api_receipts(pg_temp.token('bob'), p_items);
  return 'taken';
exception
  when sqlstate 'CF007' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return regexp_replace(v_detail, ':[^\n]*', '', 'g');
end
$$;
select is(pg_temp.refused(format('[{"room":%s,"kind":"read","seq":5},%s]', :two, replace(i, 'ROOM', :'room'))), replace(r, ' ', E'\n'), format('%s: %s', i, r))
  from (values ('{}', 'items/1/room items/1/kind items/1/seq'), ('{"room":ROOM,"kind":"seen","seq":1}', 'items/1/kind'), ('{"room":"ROOM","kind":"read","seq":"1"}', 'items/1/room items/1/seq'),
               ('{"room":ROOM,"kind":["read"],"seq":-1}', 'items/1/kind items/1/seq'), ('{"room":ROOM.0,"kind":"read","seq":1e3}', 'items/1/room items/1/seq'),
               ('{"room":0,"kind":"read","seq":9223372036854775808}', 'items/1/room items/1/seq'), ('{"room":null,"kind":null,"seq":null}', 'items/1/room items/1/kind items/1/seq'),
               ('{"room":99999999999999999999,"kind":true,"seq":0}', 'items/1/room items/1/kind items/1/seq'), ('7', 'items/1/room items/1/kind items/1/seq'),
               ('{"room":999999999,"kind":"read","seq":1},{"room":ROOM,"kind":"read","seq":1},{"room":999999998,"kind":"read","seq":0}', 'items/1/room items/3/room items/3/seq')) v (i, r);
select is(pg_temp.refused(format('[{"room":%s,"kind":"read","seq":1}]', :lobby)), 'items/0/room', 'nor a public room that one is not in');
select is(pg_temp.told() || (select read_seq from chat.member where room_id = :two and user_id = :bob), '2', 'of a request with anything bad nothing is done');

-- What the daemon tells for many at once: each fares alone.
select s.id as alice_session from chat.session s where s.user_id = :alice \gset
select s.id as bob_session from chat.session s where s.user_id = :bob \gset
insert into chat.session (user_id, token_hash, expires_at) values (:bob, pg_temp.token('over'), now() - interval '1 second') returning id as over_session \gset
insert into chat.message (room_id, sender_id, body) values (:room, :bob, 'm7');
select pg_temp.told() \g /dev/null
set local role confab_daemon;
select results_eq(format($$select ord, code, seq from chat.feed_receipts(
    array[9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    array[%1$s, %2$s, %1$s, %1$s, %3$s, 0, %1$s, %1$s, %2$s, null],
    array[%4$s, %4$s, %5$s, %6$s, %4$s, %4$s, %4$s, %4$s, %5$s, %4$s],
    array['read', 'delivered', 'delivered', 'read', 'read', 'read', 'seen', null, 'read', 'read'],
    array[6, 6, 5, 1, 1, 1, 1, 1, null, 1]) order by ord desc$$, :bob_session, :alice_session, :over_session, :room, :two, :lobby),
  $$values (9, null, 7::bigint), (8, null, 6), (7, null, 5), (6, 'forbidden', null), (5, 'unauthenticated', null), (4, 'unauthenticated', null), (3, 'invalid', null), (2, 'invalid', null),
           (1, 'invalid', null), (0, 'unauthenticated', null)$$, 'a batch: what is good is done, and what is not says why');
select results_eq(format($$select code, seq from chat.feed_receipts('{1,2,3}', array[%1$s, %1$s, %1$s], array[%2$s, %2$s, %3$s], '{read,read,read}', '{3,4,1}')$$, :bob_session, :two, 0),
  $$values (null, 4::bigint), (null, 4), ('not_found', null)$$, 'twice the same room: both get the mark as it stands');
select is_empty($$select * from chat.feed_receipts('{}', '{}', '{}', '{}', '{}')$$, 'an empty batch');
reset role;
select is(pg_temp.told(), 'delivered bob 5 Two, read bob 4 Two', 'and what grew is told');

-- Whoever is gone has no marks, and who comes back begins anew.
delete from chat.member where room_id = :two and user_id = :bob;
select is(pg_temp.outcome(format('api_read(pg_temp.token(''bob''), %s, 5)', :two)), 'CF004', 'who has left reads no more');
insert into chat.message (room_id, sender_id, body) values (:two, :alice, 'm6');
insert into chat.member (room_id, user_id) values (:two, :bob);
select is(chat.receipt_json(:two, :bob)::jsonb, jsonb_build_object('room', :two, 'read_seq', 6, 'delivered_seq', 6, 'last_seq', 6, 'unread', 0), 'who comes back has nothing unread');
delete from chat.message where room_id = :two;
select is(chat.unread_json(:bob)::jsonb -> 'total', '0', 'rows that are gone change no count');

select finish();
rollback;
