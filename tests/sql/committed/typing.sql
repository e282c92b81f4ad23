-- Typing: who is told, how often, and never after a removal.
\ir ../fixture.psql
create extension dblink;
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol \gset
select pg_temp.room('private', 'Room', 'all', :alice, :bob) as room, pg_temp.room('public', 'Lobby', 'all', :bob) as lobby \gset

select dblink_connect(name, format('host=%s port=%s dbname=%s user=postgres', current_setting('unix_socket_directories'), current_setting('port'), current_database()))
  from unnest(array['second', 'ears']) name
\g /dev/null
select dblink_exec('ears', 'listen chat_signal') \g /dev/null
create procedure pg_temp.second(p_sql text) language plpgsql as $$ begin perform dblink_exec('second', p_sql); end $$;
create function pg_temp.heard() returns text language plpgsql as $$
begin
  perform from dblink('ears', 'select 1') t (one int);
  return coalesce((select string_agg(extra, ', ') from dblink_get_notify('ears') n (channel, pid, extra)), 'nothing');
end
$$;
create function pg_temp.types(p_who text, p_state text, p_room bigint) returns text language sql as $$
  select pg_temp.outcome(format('api_typing(pg_temp.token(%L), %s, %L)', p_who, p_room, p_state))
$$;
create procedure pg_temp.later(p_by interval) language sql as $$ update chat.typing set started_at = started_at - p_by $$;

select is(pg_temp.types('alice', 'start', :room), '204', 'alice types');
select is(pg_temp.heard(), format('typing.start %s %s {"room":%s,"user":{"id":%s,"display_name":"Alice"},"expires_in":6}', :alice, :room, :room, :alice), 'the room is told');
select is(pg_temp.types('alice', 'start', :room), '204', 'she types on');
select is(pg_temp.heard(), 'nothing', 'which is known');
call pg_temp.later('3 s');
select is(pg_temp.types('alice', 'start', :room), '204', 'and after a while again');
select is(pg_temp.heard() ^@ 'typing.start ', true, 'it is told again');
select is(pg_temp.types('alice', 'stop', :room), '204', 'she stops');
select is(pg_temp.heard(), format('typing.stop %s %s {"room":%s,"user":{"id":%s,"display_name":"Alice"},"expires_in":0}', :alice, :room, :room, :alice), 'which is told');
select is(pg_temp.types('alice', 'stop', :room), '204', 'and again');
select is(pg_temp.types('bob', 'stop', :room), '204', 'one who did not type stops');
select is(pg_temp.types('alice', 'start', :room), '204', 'she begins again at once');
select is(pg_temp.heard(), 'nothing', 'none of which is told');
call pg_temp.later('1 s');
select is(pg_temp.types('alice', 'start', :room), '204', 'a second later');
select is(pg_temp.heard() ^@ 'typing.start ', true, 'a start after a stop is');
select is(pg_temp.types('bob', 'start', :lobby), '204', 'bob types elsewhere');
select is(pg_temp.types('bob', 'start', :room), '204', 'and here');
select is(array_length(string_to_array(pg_temp.heard(), ', typing'), 1), 2, 'each room is told');

select is(pg_temp.types(w, s, r), e, format('%s %s: %s', w, s, e))
  from (values ('carol', 'start', :room, 'CF004'), ('alice', 'start', :lobby, 'CF003'), ('alice', 'start', 0, 'CF004'), ('alice', 'stopp', :room, 'CF007 state'),
               ('alice', null, :room, 'CF007 state')) v (w, s, r, e);
set chat.broadcast_members = 1;
call pg_temp.later('3 s');
select is(pg_temp.types('alice', 'start', :room), '204', 'in a large room');
select is(pg_temp.types('bob', 'start', :lobby), '204', 'and in a small one');
select is(array_length(regexp_split_to_array(pg_temp.heard(), 'typing\.'), 1) - 1, 1, 'only the small one is told');
reset chat.broadcast_members;

-- A removal that came first is not waited for, and nothing is told any more.
call pg_temp.later('1 hour');
call pg_temp.second('begin');
call pg_temp.second(format('delete from chat.member where room_id = %s and user_id = %s', :room, :bob));
set lock_timeout = '100 ms';
select is(pg_temp.types('bob', 'start', :room), '204', 'one who is just being removed does not wait');
call pg_temp.second('commit');
select is(pg_temp.types('bob', 'start', :room), 'CF004', 'and then is no member');
select is(pg_temp.heard(), 'nothing', 'nobody saw him type');
select is((select count(*) from chat.typing where room_id = :room and user_id = :bob), 0::bigint, 'nothing of him is left');

-- And one that comes later waits for the signal.
call pg_temp.second('begin');
call pg_temp.second(format('do $$ begin perform chat.typing_tell(%s, %s, ''start''); end $$', :room, :alice));
select throws_ok(format('delete from chat.member where room_id = %s and user_id = %s', :room, :alice), '55P03', null, 'a removal does not overtake typing');
call pg_temp.second('commit');
select is(pg_temp.heard() ^@ 'typing.start ', true, 'which was told');
delete from chat.member where room_id = :room and user_id = :alice;
select is(pg_temp.heard(), 'nothing', 'and then nothing more');

select finish();
