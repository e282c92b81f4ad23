-- Cursors across transactions, what refuses them, pruning and epochs.
\ir ../fixture.psql
create extension dblink;
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob \gset
select pg_temp.room('private', 'Room', 'all', :alice) as room, pg_temp.room('private', 'Other', 'all', :bob) as other \gset

-- A second connection, whose transactions stay open while this one looks.
select dblink_connect('second', format('host=%s port=%s dbname=%s user=postgres', current_setting('unix_socket_directories'), current_setting('port'), current_database()))
\g /dev/null
create procedure pg_temp.second(p_sql text) language plpgsql as $$ begin perform dblink_exec('second', p_sql); end $$;
create function pg_temp.say(p_body text) returns text language sql as $$
  select format('insert into chat.message (room_id, sender_id, body) select room_id, user_id, %L from chat.member where room_id = (select min(id) from chat.room)', p_body)
$$;
create procedure pg_temp.said(p_body text) language plpgsql as $$ begin execute pg_temp.say(p_body); end $$;
create procedure pg_temp.noted(p_data text) language sql as $$ insert into chat.event (user_id, type, data) select min(id), 'note', p_data from chat.person $$;

-- What a poll from a cursor gives: bodies of messages, or the types of other events.
create function pg_temp.poll(p_who text, p_cursor text) returns text language sql as $$
  select coalesce(string_agg(coalesce(e #>> '{data,message,body}', (e ->> 'type') || coalesce(' ' || (e #>> '{data,reason}'), '')), ', ' order by o), '')
    from jsonb_array_elements(pg_temp.body(format('api_events(pg_temp.token(%L), %L)', p_who, p_cursor)) -> 'events') with ordinality x (e, o)
$$;
-- The same by the daemon's feed; it ends with the next cursor.
create function pg_temp.feed(p_cursor text) returns text language sql as $$
  select string_agg(case when id is null then concat_ws(' ', type, data, case when cursor is not null then 'end' end)
                         else coalesce(data::json #>> '{message,body}', type) end, ', ' order by n)
    from (select id, type, data, cursor, row_number() over () as n from chat.feed_read(p_cursor)) f
$$;

-- Exact.
select chat.cursor_now() as c0 \gset
select is(pg_temp.poll('alice', :'c0'), '', 'nothing is new at first');
call pg_temp.said('one');
select chat.cursor_now() as c1 \gset
select is(pg_temp.poll('alice', :'c0'), 'one', 'what was committed since is new');
select is(pg_temp.poll('alice', :'c1'), '', 'once');
select is(pg_temp.poll('bob', :'c0'), '', 'and only for those in the room');

call pg_temp.second('begin');
call pg_temp.second($$insert into chat.event (user_id, type, data) select id, 'slow', '{}' from chat.person where login = 'alice'$$);
call pg_temp.second('savepoint s');
call pg_temp.second($$insert into chat.event (user_id, type, data) select id, 'undone', '{}' from chat.person where login = 'alice'$$);
call pg_temp.second('rollback to s');
call pg_temp.second('savepoint s');
call pg_temp.second($$insert into chat.event (user_id, type, data) select id, 'nested', '{}' from chat.person where login = 'alice'$$);
call pg_temp.second('release s');
call pg_temp.said('two');
select chat.cursor_now() as c2 \gset
select is(pg_temp.poll('alice', :'c1'), 'two', 'an open transaction holds up nobody else');
call pg_temp.second('commit');
select is(pg_temp.poll('alice', :'c2'), 'slow, nested', 'its events are new when it commits; rolled back ones are none');
select is(pg_temp.poll('alice', :'c1'), 'slow, nested, two', 'a batch is in the order of ids');
select is(pg_temp.feed(:'c1'), 'slow, nested, two, end', 'the feed reads the same');
select is(pg_temp.feed(null), 'end', 'and begins with a cursor only');
select is((select max(xid)::text::bigint + 1 from chat.event), split_part(split_part(chat.cursor_now(), '-', 2), ':', 2)::bigint,
  'a cursor claims no transaction above the newest event''s');
create table burn ();
select is((select max(xid)::text::bigint + 1 from chat.event), split_part(split_part(chat.cursor_now(), '-', 2), ':', 2)::bigint,
  'however many have ended since');

-- Refused: what is none, what is forged, what is of another life.
select chat.cursor_now() as c \gset
select left(:'c', 9) as epoch \gset
select is(chat.cursor_refusal(c), r, format('%s: %s', left(to_json(c)::text, 50), r))
  from (values (:'c', null), (:'c0', null), (null, 'expired'), ('', 'expired'), ('x', 'expired'), ('1', 'expired'), (:'c' || ' ', 'expired'), (E'\n' || :'c', 'expired'),
               (:'epoch' || '1:2', 'expired'), (:'epoch' || '2:1:', 'expired'), (:'epoch' || '1:5:5', 'expired'), (:'epoch' || '1:5:3,2', 'expired'), (:'epoch' || '3:5:2', 'expired'),
               (:'epoch' || '0:0:', 'expired'), (:'epoch' || '1:5:,', 'expired'), (:'epoch' || '99999999999999999999:5:', 'expired'), (:'epoch' || '9223372036854775807:9223372036854775807:', 'expired'),
               (:'epoch' || '9999999999999999999:9999999999999999999:', 'expired'), (:'epoch' || '1:1000000:', 'expired'), ('-' || :'c', 'expired'), (upper(:'epoch') || '-1:1:', 'expired'),
               ('00000000-1:1:', 'epoch'), (:'epoch' || '1:1:', null), (repeat('1', 30000), 'expired')) v (c, r);

do $$ begin for i in 1..1100 loop perform pg_current_xact_id(); commit; end loop; end $$;
call pg_temp.said('after many transactions');
select is(chat.cursor_refusal(format('%s%s:%s:%s', :'epoch', low, low + 1050, (select string_agg(x::text, ',') from generate_series(low, low + n - 1) x))), r, format('%s open transactions: %s', n, r))
  from (values (1000, null), (1001, 'expired')) v (n, r), lateral (select pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1100 as low) b;
select is(pg_temp.poll('alice', 'garbage'), 'reset expired', 'a poll says so');
select is(pg_temp.poll('alice', '00000000-1:1:'), 'reset epoch', 'and why');
select is(pg_temp.poll('alice', ''), 'reset expired', 'an empty cursor is none');
select is(pg_temp.body('api_events(pg_temp.token(''alice''), null)') - 'cursor', '{"events": [], "interval_ms": 3000}', 'without a cursor a poll begins now');
set chat.poll_interval_ms = '500';
select is(pg_temp.body('api_events(pg_temp.token(''alice''), null)') -> 'interval_ms', '500', 'the interval is configurable');
select is(pg_temp.feed('garbage'), 'reset expired end', 'the feed says so, and goes on from now');

-- Too much is refused whole, never cut.
select chat.cursor_now() as c \gset
insert into chat.event (user_id, type, data) select :alice, 'many', '{}' from generate_series(1, 1000);
select is((select count(*) from regexp_matches(pg_temp.poll('alice', :'c'), 'many', 'g')), 1000::bigint, 'a poll gives 1,000 events');
call pg_temp.said('one more');
select is(pg_temp.poll('alice', :'c'), 'reset limit', 'and a reset for more');
select is(pg_temp.poll('bob', :'c'), '', 'which others'' events do not count for');

-- What the daemon reads for its clients.
insert into chat.session (user_id, token_hash, expires_at) values (:bob, pg_temp.token('expired'), now() - interval '1 second');
select results_eq($$select ord, user_id, expires_in between 86000 and 86400, rooms, sinces from chat.feed_sessions(array[5, 1, 2, 9, 7],
    array[pg_temp.token('bob'), pg_temp.token('alice'), null, pg_temp.token('nobody'), pg_temp.token('expired')]) order by ord$$,
  $$select case p.login when 'alice' then 1 else 5 end, p.id, true, array_agg(m.room_id), array_agg(m.since) from chat.person p join chat.member m on m.user_id = p.id group by p.id order by 1$$,
  'live sessions with their memberships');
insert into chat.person (login, display_name) values ('loner', 'Loner');
insert into chat.session (user_id, token_hash, expires_at) select id, pg_temp.token('loner'), '2200-01-01' from chat.person where login = 'loner';
select results_eq($$select expires_in, rooms, sinces from chat.feed_sessions(array[1], array[pg_temp.token('loner')])$$, $$values (2147483647, '{}'::bigint[], '{}'::bigint[])$$,
  'one in no room, for very long');
call pg_temp.noted('{}');
select results_eq(format($$select ord, reset, coalesce(data::json #>> '{message,body}', type) from chat.feed_replay(array[1, 2, 3, 4, 5, 6],
    array[pg_temp.token('alice'), pg_temp.token('alice'), pg_temp.token('bob'), pg_temp.token('nobody'), pg_temp.token('bob'), pg_temp.token('alice')], array[%L, %L, %L, %L, 'garbage', %L], 1002)$$,
    :'c0', :'c1', :'c1', :'c1', :'c'),
  $$select 1, 'limit', null union all select 2, 'limit', null union all select 5, 'expired', null union all
    select * from (select 6, null, coalesce(data::json #>> '{message,body}', type) from chat.event where id >= (select min(id) from chat.event where type = 'many') order by id) x$$,
  'replays: each its own, whole or a reset; none for a dead session');

-- A filter: only these rooms, and what is about the person himself. A cursor belongs to its filter.
select is(chat.cursor_filter(r), f, format('the filter of %s', r))
  from (values ('{1,3,20}'::bigint[], 'c70582cd'), ('{20,3,1,3}', 'c70582cd'), ('{20}', left(encode(sha256('20'), 'hex'), 8)), ('{}', left(encode(sha256(''), 'hex'), 8)), (null, null)) v (r, f);
create function pg_temp.narrow(p_who text, p_cursor text, variadic p_rooms bigint[]) returns text language sql as $$
  select concat_ws(' | ', (select string_agg(concat_ws(' ', e ->> 'type', e #>> '{data,message,body}', e #>> '{data,reason}', e #>> '{data,user,display_name}'), ', ' order by o)
                             from jsonb_array_elements(b -> 'events') with ordinality x (e, o)),
                   split_part(b ->> 'cursor', '~', 2))
    from pg_temp.body(format('api_events(pg_temp.token(%L), %L, %L)', p_who, p_cursor, p_rooms)) b
$$;
select pg_temp.body(format('api_events(pg_temp.token(''alice''), null, array[%s]::bigint[])', :room)) ->> 'cursor' as narrow \gset
select chat.cursor_filter(array[:room]) as filter, chat.cursor_filter(array[:other]) as otherwise \gset
select is(pg_temp.narrow('alice', :'narrow', :room), :'filter', 'a cursor under a filter goes on under it');
select is(pg_temp.narrow('alice', :'narrow', :room, :room), :'filter', 'however it is written');
select is(pg_temp.narrow('alice', :'narrow', :other), 'reset filter | ' || :'otherwise', 'under another it does not');
select is(pg_temp.poll('alice', :'narrow'), 'reset filter', 'nor under none');
select is(pg_temp.narrow('alice', chat.cursor_now(), :room), 'reset filter | ' || :'filter', 'nor one of none under a filter');
select is(pg_temp.narrow('alice', c, :room), 'reset ' || r || ' | ' || :'filter', c || ': ' || r)
  from (values ('garbage', 'expired'), ('~' || :'filter', 'expired'), (:'c' || '~', 'expired'), (:'c' || '~' || upper(:'filter'), 'expired'), (:'narrow' || '0', 'expired'),
               (:'narrow' || '~' || :'filter', 'expired'), (:'epoch' || '1:1000000:~' || :'filter', 'expired'), ('00000000-1:1:~' || :'filter', 'epoch')) v (c, r);
select is(chat.cursor_refusal(:'narrow'), null, 'who filters by himself may present any');
select is(pg_temp.outcome(format('api_events(pg_temp.token(''alice''), null, array(select generate_series(1, %s)::bigint))', n)), r, format('%s rooms: %s', n, r))
  from (values (100, '200'), (101, 'CF007 rooms')) v (n, r);

-- Alice looks at one room; things happen in another, some of them about her.
insert into chat.member (room_id, user_id) values (:other, :alice);
call pg_temp.said('here');
insert into chat.message (room_id, sender_id, body) values (:other, :bob, 'there');
select chat.receipts_mark(:alice, array[:other], '{read}', '{9}'), chat.receipts_mark(:bob, array[:other], '{read}', '{9}') \g /dev/null
select is(pg_temp.narrow('alice', :'narrow', :room), 'member.join Alice, room.new, message.new here, receipt.read | ' || :'filter',
  'under a filter: what is of its rooms, and one''s own joining and reading elsewhere');
select is(pg_temp.narrow('alice', replace(:'narrow', :'filter', :'otherwise'), :other), 'member.join Alice, room.new, message.new there, receipt.read | ' || :'otherwise',
  'a filter may name rooms that one is not in yet');
select is(pg_temp.body(format('api_events(pg_temp.token(''alice''), %L, %L)', replace(:'narrow', :'filter', chat.cursor_filter(array[:room, :other])), array[:other, :room])) -> 'events',
  pg_temp.body(format('api_events(pg_temp.token(''alice''), %L)', split_part(:'narrow', '~', 1))) -> 'events', 'under all rooms it is as under none');
select is(pg_temp.narrow('bob', replace(:'narrow', :'filter', :'otherwise'), :other), 'member.join Alice, message.new there, receipt.read | ' || :'otherwise', 'of others only what is of the rooms');
delete from chat.member where room_id = :other and user_id = :alice;
insert into chat.message (room_id, sender_id, body) values (:other, :bob, 'without her');
select is(pg_temp.narrow('alice', :'narrow', :room), 'message.new here, member.leave Alice | ' || :'filter', 'of a room that was left one''s own leave remains');
insert into chat.member (room_id, user_id) values (:other, :alice);
select is(pg_temp.narrow('alice', :'narrow', :room), 'message.new here, member.leave Alice, member.join Alice, room.new | ' || :'filter', 'of one joined again what is about oneself from then on');
delete from chat.member where room_id = :other and user_id = :alice;
select is((select string_agg(coalesce(reset, type), ', ' order by id) from chat.feed_replay(array[1], array[pg_temp.token('alice')], array[:'narrow'], 10)),
  'message.new, member.leave, member.leave', 'the daemon, which filters by itself, is given all');

-- Pruning, with a transaction open all the while.
select chat.cursor_now() as before \gset
call pg_temp.second('begin');
call pg_temp.second($$insert into chat.event (user_id, type, data) select id, 'open', '{}' from chat.person where login = 'alice'$$);
call pg_temp.said('pruned');
select chat.cursor_now() as during \gset
select is(chat.event_prune('1 hour'), 0::bigint, 'nothing has been seen for an hour');
select cmp_ok(chat.event_prune('0'), '>', 1000::bigint, 'what a look could see goes');
select is((select count(*) from chat.event), 0::bigint, 'all that is visible');
select is(chat.cursor_refusal(:'before'), 'expired', 'a cursor that does not cover it is refused');
select is(chat.cursor_refusal(:'c0'), 'expired', 'and older ones');
select is(chat.cursor_refusal(:'during'), null, 'one that does goes on');
select is(chat.cursor_refusal(chat.cursor_now()), null, 'and a new one');
select chat.cursor_now() as pruned \gset
call pg_temp.second('commit');
select is(pg_temp.poll('alice', :'during'), 'open', 'what was open then is new, and nothing twice');
select is(pg_temp.poll('alice', :'pruned'), 'open', 'for a cursor made after the pruning too');
select is(chat.event_prune('0'), 1::bigint, 'then it goes too');
select is(chat.cursor_refusal(:'during'), 'expired', 'and with it the cursors that have not seen it');
select is(chat.cursor_refusal(:'pruned'), 'expired', 'whenever they were made');
select is(pg_temp.poll('alice', chat.cursor_now()), '', 'now there is nothing new');
insert into chat.event (user_id, type, data) select :alice, 'many', '{}' from generate_series(1, 20001);

-- What a cursor does not cover costs what it is, however long the log is, also by plans that were made for it.
create function pg_temp.rows_read(p_sql text) returns bigint language plpgsql as $$
declare
  c_log constant oid := 'chat.event'::regclass;
  v_before constant bigint := pg_stat_get_xact_tuples_returned(c_log) + pg_stat_get_xact_tuples_fetched(c_log);
begin
  execute p_sql;
  return pg_stat_get_xact_tuples_returned(c_log) + pg_stat_get_xact_tuples_fetched(c_log) - v_before;
end
$$;
select chat.cursor_now() as full \gset
call pg_temp.second('begin');
call pg_temp.second($$insert into chat.event (user_id, type, data) select id, 'late', '{}' from chat.person where login = 'alice'$$);
call pg_temp.noted('{}');
select chat.cursor_now() as gap \gset
call pg_temp.second('commit');
call pg_temp.said('after all');
analyze chat.event;
select cmp_ok(pg_temp.rows_read(replace(f, 'CURSOR', quote_literal(c))), '<', 100::bigint, f || what)
  from unnest(array['select chat.feed_read(CURSOR)', 'select chat.feed_backfill(CURSOR, 100)',
                    'select chat.feed_replay(array[1], array[pg_temp.token(''alice'')], array[CURSOR], 100)',
                    'select chat.api_events(pg_temp.token(''alice''), CURSOR)']) f,
       (values (:'full', ''), (:'gap', ' with a gap')) cursors (c, what);

-- Of what is too much for one answer nothing is sent.
select chat.cursor_now() as c \gset
insert into chat.event (user_id, type, data) select :alice, 'large', format('{"x":"%s"}', repeat('x', 200000)) from generate_series(1, 6);
select is(pg_temp.poll('alice', :'c'), 'reset limit', 'over a MiB is too much for a poll');
select is(chat.event_prune('0'), 20000::bigint, 'pruning goes in batches');
select is(chat.cursor_refusal(chat.cursor_now()), null, 'between which cursors hold');
select is(chat.event_prune('0'), (select count(*) from chat.event), 'until nothing is left');
call pg_temp.noted('{}');
select chat.event_prune('1 hour') \g /dev/null
update chat.prune_mark set at = at - interval '2 hours';
call pg_temp.noted('{}');
select is(chat.event_prune('1 hour'), 1::bigint, 'retention is counted from the look that could see it');
select is((select count(*) from chat.event), 1::bigint, 'what came later stays');

-- A table that was emptied may be filled again with what was there before, as by a dump of its data.
truncate chat.event;
select throws_ok('select chat.feed_read(null)', 'CF010');
select chat.epoch_begin() \g /dev/null
select isnt(left(chat.cursor_now(), 9), :'epoch', 'a truncated log is another one');
select left(chat.cursor_now(), 9) as epoch \gset
-- The same beginning in another copy of the server's files.
update chat.log_state set epoch = '00000000', salt = null;
select chat.epoch_begin() \g /dev/null
select left(chat.cursor_now(), 9) as one_life \gset
update chat.log_state set epoch = '00000000', salt = null;
select chat.epoch_begin() \g /dev/null
select isnt(left(chat.cursor_now(), 9), :'one_life', 'no life is called as another one');
select left(chat.cursor_now(), 9) as epoch \gset

-- A new life of the database.
update chat.log_state set epoch = '00000000';
select is(pg_temp.outcome(f), 'CF010', f) from unnest(array['api_events(pg_temp.token(''alice''), null)', 'api_snapshot(pg_temp.token(''alice''))']) f;
select throws_ok('select chat.feed_read(null)', 'CF010');
select throws_ok('select chat.event_prune(''0'')', 'CF010');
select lives_ok('select chat.epoch_begin()', 'a new epoch');
select is((select count(*) from chat.event) + (select count(*) from chat.prune_mark), 0::bigint, 'begins with an empty log');
select isnt(left(chat.cursor_now(), 9), :'epoch', 'and has a name of its own');
call pg_temp.noted('{}');
select lives_ok('select chat.epoch_begin()', 'beginning what has begun');
select is((select count(*) from chat.event), 1::bigint, 'does nothing');

select finish();
