-- Sending, plain INSERTs and history.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol \gset
select pg_temp.room('private', 'All', 'all', :alice, :bob) as room, pg_temp.room('private', 'Since', 'since_join', :alice) as since,
       pg_temp.room('public', 'Lobby', 'all', :bob) as lobby \gset
\set id 11111111-1111-4111-8111-111111111111

create function pg_temp.send(p_who text, p_room bigint, p_body text, p_rest text default 'null, null, null, null') returns text language sql as $$
  select pg_temp.outcome(format('api_message_send(pg_temp.token(%L), %s, %L, %s)', p_who, p_room, p_body, p_rest))
$$;
create function pg_temp.seqs(p_room bigint) returns text language sql as $$
  select coalesce(string_agg(seq::text, ' ' order by seq), '') from chat.message where room_id = p_room
$$;

-- The answer, the event and history have the same bytes.
set local role confab_worker;
select status, body from chat.api_message_send(pg_temp.token('alice'), :room, E'Hi <b>\r\n\t"\\" 👋 \u202eשלום', 'text', '{"a": [1, null]}', :'id', null) \gset first_
select is(:first_status, 201, 'a message is sent');
select is(:'first_body'::jsonb - 'at', jsonb_build_object('room', :room, 'seq', 1, 'sender', jsonb_build_object('id', :alice, 'display_name', 'Alice'),
    'client_id', :'id', 'type', 'text', 'body', E'Hi <b>\r\n\t"\\" 👋 \u202eשלום', 'meta', '{"a": [1, null]}'::jsonb, 'reply_to', null, 'mentions', '[]'::jsonb,
    'reactions', '{}'::jsonb, 'edited_at', null, 'deleted', false),
  'its answer; the body is kept as it came');
select is((select body from chat.api_message(pg_temp.token('bob'), :room, 1)), :'first_body', 'the message read later has the same bytes');
select is((select body::json #>> '{items,0}' from chat.api_message_list(pg_temp.token('bob'), :room, null, null, null, null)), :'first_body',
  'and in history');
reset role;
select is((select data from chat.event where type = 'message.new'),
  (select format('{"eid":%s,"message":%s}', id, :'first_body') from chat.event where type = 'message.new'), 'and as event, on one line');
set local role confab_worker;

-- Repeats.
select is((select (status, body) from chat.api_message_send(pg_temp.token('alice'), :room, E'Hi <b>\r\n\t"\\" 👋 \u202eשלום', null, '{"a":[1,null]}', :'id', null)),
  (200, :'first_body'::text), 'a repeat is 200 and the same message; defaults and the spelling of meta make no difference');
select is(pg_temp.send('alice', r, b, format(x, :'id')), 'CF008 client_id', format('a client_id used again with another %s', w))
  from (values (:room, 'other', 'null, null, %L, null', 'body'), (:since, 'Hi', 'null, null, %L, null', 'room'),
               (:room, 'Hi', $$'x', null, %L, null$$, 'type'), (:room, 'Hi', 'null, null, %L, 1', 'reply'), (0, 'Hi', 'null, null, %L, null', 'room that is none')) v (r, b, x, w);
select is(pg_temp.send('bob', :room, 'mine', format('null, null, %L, null', :'id')), '201', 'client_ids are each sender''s own');
select is(pg_temp.send('alice', :room, 'no id'), '201', 'without a client_id it is always a new one');
select is(pg_temp.send('alice', :room, 'no id'), '201', 'however like another it is');
select is(pg_temp.body(format('api_message(pg_temp.token(''alice''), %s, 4)', :room)) ->> 'seq', '4', 'repeats took no seq');

-- Who may not, and what.
select is(pg_temp.send('carol', :room, 'x'), 'CF004', 'a private room does not exist for others');
select is(pg_temp.send('carol', :lobby, 'x'), 'CF003', 'a public one wants members');
select is(pg_temp.send('carol', 0, 'x'), 'CF004', 'a room that is none');
select is(pg_temp.send('carol', -1, 'x'), 'CF004', 'nor is that');
select is(pg_temp.outcome('api_message_send(pg_temp.token(''carol''), null, ''x'', null, null, null, null)'), 'CF004', 'nor is null');
select is(pg_temp.send('alice', :room, b), 'CF007 body', format('no body: %s', w))
  from (values (null, 'null'), ('', 'empty'), ('  ', 'spaces'), (E'\n\t\r\n', 'lines'), (E'\u200b\u200d\ufeff', 'zero width'), (E'\u202e\u2066\u2069', 'bidi controls'),
               (E'\u00a0\u3000\u2003', 'wide spaces'), (E'\u2800\u3164\u115f', 'fillers'), (repeat('x', 10001), 'too long'),
               (E'a\u0001', 'control'), (E'a\u001b[31m', 'escape'), (E'a\u007f', 'delete'), (E'a\u009f', 'C1'), (E'a\rb', 'a lone CR'), (E'a\u000bb', 'vertical tab')) v (b, w);
select is(pg_temp.send('alice', :room, b), '201', format('a body: %s', w))
  from (values ('x', 'one letter'), (repeat('x', 10000), 'long'), (repeat('👩‍👩‍👧', 2000), 'long in 4 bytes each'), (E'\u202eabc\u202c', 'bidi'), (E'a\u200bb', 'zero width among letters'),
               (E'\u2028x\u2029', 'line separators'), (E'a\r\n\tb\n', 'lines'), ('<script>alert(1)</script>', 'markup'), ('%s %1$s \', 'formats'), ('{"a":1}', 'JSON'), ('0', 'zero'),
               (E'e' || repeat(E'\u0301', 9999), 'marks'), ('‍👋', 'joined')) v (b, w);
select is(pg_temp.send('alice', :room, 'x', format('%L, null, null, null', t)), r, format($$type %s: %s$$, to_json(t), r))
  from (values ('text', '201'), ('x.y-z_1', '201'), ('', 'CF007 type'), ('Text', 'CF007 type'), ('1', 'CF007 type'), (repeat('a', 33), 'CF007 type'), (E'a\n', 'CF007 type')) v (t, r);
select is(pg_temp.send('alice', :room, 'x', format('null, %L, null, null', m)), r, format('meta %s: %s', left(m, 20), r))
  from (values ('{}', '201'), ('{"a":{"b":[true]}}', '201'), ('[]', 'CF007 meta'), ('1', 'CF007 meta'), ('null', 'CF007 meta'), ('"x"', 'CF007 meta'),
               (json_build_object('a', repeat('x', 4096))::text, 'CF007 meta')) v (m, r);
select is(pg_temp.send('alice', :room, 'x', 'null, null, null, ' || s), r, format('reply to %s: %s', s, r))
  from (values (1, '201'), (0, 'CF007 reply_to'), (-1, 'CF007 reply_to'), (1000, 'CF007 reply_to')) v (s, r);

-- Plain INSERTs follow the same rules.
reset role;
select max(seq) as last from chat.message where room_id = :room \gset
insert into chat.message (room_id, sender_id, body) values (:room, :alice, 'plain');
insert into chat.message (room_id, sender_id, body, client_id) values
  (:room, :alice, 'one', '22222222-2222-4222-8222-222222222222'), (:room, :alice, 'one again', '22222222-2222-4222-8222-222222222222'),
  (:lobby, :bob, 'elsewhere', null), (:room, :bob, 'two', null), (:room, :alice, 'a repeat of the first', :'id');
select is((select string_agg(body, ', ' order by seq) from chat.message where room_id = :room and seq > :last), 'plain, one, two',
  'plain INSERTs get the next seqs; a client_id twice, in one statement or not, is dropped');
select is((select last_seq from chat.room_counter where room_id = :room), :last::bigint + 3, 'and takes no seq');
select is((select count(*) from chat.event where type = 'message.new' and room_id = :room), :last::bigint + 3, 'nor has an event');
select is(pg_temp.seqs(:room), (select string_agg(i::text, ' ' order by i) from generate_series(1, :last::bigint + 3) i), 'there is no gap');
insert into chat.message (room_id, sender_id, body, seq, at, edited_at, deleted_at) values (:room, :alice, 'forged', 99999, '1999-01-01', now(), now());
select is((select (seq, at > now() - interval '1 minute', edited_at, deleted_at) from chat.message where body = 'forged'), (:last::bigint + 4, true, null::timestamptz, null::timestamptz),
  'an INSERT does not choose its seq and times');
select throws_ok(format('insert into chat.message (room_id, sender_id, body) values (%s, %s, %L)', r, u, b), e, null, w)
  from (values (:room, :carol, 'x', 'CF004', 'an INSERT from a non-member is refused'), (:lobby, :alice, 'x', 'CF003', 'in a public room as well'),
               (:room, :alice, ' ', 'CF007', 'and one without text'), (0, :alice, 'x', 'CF004', 'and one into no room')) v (r, u, b, e, w);
select throws_ok(format('insert into chat.message (room_id, sender_id, body) values (%s, null, ''x'')', :room), 'CF004', null, 'and one from nobody');
select throws_ok(format($$insert into chat.message (room_id, sender_id, body) values (%s, %s, 'good'), (%s, %s, '')$$, :room, :alice, :room, :alice), 'CF007', null,
  'a statement with one bad row writes none');
select is((select last_seq from chat.room_counter where room_id = :room), :last::bigint + 4, 'and the counter stands');

-- COPY is one statement: one counter, one read mark, and one ring for all of it.
create temp table bulk as select :room as room_id, :alice as sender_id, 'row ' || i as body from generate_series(1, 500) i;
select format('copy chat.message (room_id, sender_id, body) from program %L',
              format('yes "%s	%s	copied" | head -300', :room, :alice)) as copy \gset
:copy;
select is((select count(*) from chat.message where room_id = :room and body = 'copied'), 300::bigint, 'COPY writes messages');
select is(pg_temp.seqs(:room), (select string_agg(i::text, ' ' order by i) from generate_series(1, :last::bigint + 304) i), 'without a gap');
select is((select (c.last_seq, m.read_seq) from chat.room_counter c join chat.member m using (room_id) where c.room_id = :room and m.user_id = :alice),
  (:last::bigint + 304, :last::bigint + 304), 'the counter and the sender''s read mark follow');
select is((select array_agg(data::json #>> '{message,seq}' order by id) from chat.event where room_id = :room and type = 'message.new'),
  (select array_agg(i::text order by i) from generate_series(1, :last::bigint + 304) i), 'events have the order of seq');

-- History.
insert into chat.message (room_id, sender_id, body) select :since, :alice, 'early ' || i from generate_series(1, 5) i;
insert into chat.member (room_id, user_id) values (:since, :bob);
insert into chat.message (room_id, sender_id, body) select :since, :alice, 'late ' || i from generate_series(6, 15) i;
set local role confab_worker;

create function pg_temp.history(p_who text, p_room bigint, p_place text, p_limit text default 'null') returns text language sql as $$
  select concat_ws(' ', (select string_agg(i ->> 'seq', ' ' order by o) from json_array_elements(a.body::json -> 'items') with ordinality e (i, o)),
                   case when a.body::jsonb @> '{"has_older": true}' then 'older' end, case when a.body::jsonb @> '{"has_newer": true}' then 'newer' end,
                   case when a.body::jsonb @> '{"has_more": true}' then 'more' end, a.link)
    from pg_temp.called(format('api_message_list(pg_temp.token(%L), %s, %s, %s)', p_who, p_room, p_place, p_limit)) a
$$;
select is(pg_temp.history('alice', :since, p, l), r, format('history %s, limit %s: %s', p, l, r))
  from (values ('null, null, null', '3', '13 14 15 older more ?limit=3&before=13'),
               ('13, null, null', '3', '10 11 12 older newer more ?limit=3&before=10'),
               ('3, null, null', '3', '1 2 newer'),
               ('1, null, null', '3', ''),
               ('null, 0, null', '3', '1 2 3 newer more ?limit=3&after=3'),
               ('null, 12, null', '3', '13 14 15 older'),
               ('null, 15, null', '3', ''),
               ('null, 9223372036854775807, null', '3', ''),
               ('9223372036854775807, null, null', '3', '13 14 15 older more ?limit=3&before=13'),
               ('null, null, 8', '4', '6 7 8 9 older newer more ?limit=4&before=6'),
               ('null, null, 8', '1', '8 older newer more ?limit=1&before=8'),
               ('null, null, 1', '4', '1 2 newer'),
               ('null, null, 15', '4', '13 14 15 older more ?limit=4&before=13'),
               ('null, null, 100', '4', '14 15 older more ?limit=4&before=14'),
               ('null, null, null', '15', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'),
               ('null, null, null', '0', '15 older more ?limit=1&before=15')) v (p, l, r);
select is(pg_temp.pages(format('api_message_list(pg_temp.token(''alice''), %s, %%s, null, null, 6)', :since), 'before', 'seq'),
  '10 11 12 13 14 15 | 4 5 6 7 8 9 | 1 2 3', 'history backwards, by its links');
select is(pg_temp.pages(format('api_message_list(pg_temp.token(''alice''), %s, null, coalesce(%%s, 0), null, 6)', :since), 'after', 'seq'),
  '1 2 3 4 5 6 | 7 8 9 10 11 12 | 13 14 15', 'and forwards');
select is(pg_temp.outcome(format('api_message_list(pg_temp.token(''alice''), %s, 1, 2, null, 6)', :since)), 'CF012', 'one place at a time');
select is(pg_temp.history('bob', :since, p), r, format('one who joined after 5, %s: %s', p, r))
  from (values ('null, null, null', '6 7 8 9 10 11 12 13 14 15'), ('null, 0, null', '6 7 8 9 10 11 12 13 14 15'), ('6, null, null', ''),
               ('null, null, 3', '6 7 8 9 10 11 12 13 14 15')) v (p, r);
select is(pg_temp.outcome(format('api_message(pg_temp.token(''bob''), %s, %s)', :since, s)), r, format('message %s is %s for him', s, r))
  from (values (5, 'CF004'), (6, '200'), (0, 'CF004'), (16, 'CF004')) v (s, r);
select is(pg_temp.outcome(format('api_message_list(pg_temp.token(''carol''), %s, null, null, null, null)', r)), e, format('a stranger: %s', e))
  from (values (:since, 'CF004'), (:lobby, 'CF003')) v (r, e);
select is(pg_temp.outcome(format('api_message(pg_temp.token(''carol''), %s, 6)', r)), e, format('a stranger''s look at one message: %s', e))
  from (values (:since, 'CF004'), (:lobby, 'CF003')) v (r, e);

select finish();
rollback;
