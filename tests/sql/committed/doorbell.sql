-- The armed doorbell: who holds its keys, who rings, and what a ring does to its transaction.
\ir ../fixture.psql
create extension dblink;
select no_plan();

-- Two sleepers; this connection rings.
select dblink_connect(name, format('host=%s port=%s dbname=%s user=confab_daemon', current_setting('unix_socket_directories'), current_setting('port'), current_database()))
  from (values ('one'), ('two')) v (name)
\g /dev/null
create function pg_temp.arm(p_name text) returns boolean language sql as $$
  select armed from dblink(p_name, 'select chat.ring_arm()') d (armed boolean)
$$;
create procedure pg_temp.disarm(p_name text) language plpgsql as $$
begin
  perform from dblink(p_name, 'select chat.ring_disarm()') d (nothing text);
end $$;
-- How many of the doorbell's keys the sleepers hold.
create function pg_temp.held() returns bigint language sql as $$
  select count(*) from pg_locks
   where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
     and granted and mode = 'ShareLock' and objsubid = 2 and classid = chat.ring_class()::bit(32)::bigint::oid
     and objid between 0 and 63
$$;

select is(chat.ring(), false, 'nobody sleeps: nothing is rung');
select is(pg_temp.arm('one'), true, 'a sleeper is armed');
select is(pg_temp.held(), 64::bigint, 'by all keys');
select is(chat.ring(), true, 'who commits rings');
select is(chat.ring(), true, 'each time');
select is(pg_temp.arm('two'), true, 'another sleeper is not in its way');
select is(pg_temp.held(), 128::bigint, 'and holds them as well');
call pg_temp.disarm('one');
select is(chat.ring(), true, 'one wakes, the other one is rung for');
call pg_temp.disarm('two');
select is(pg_temp.held(), 0::bigint, 'nobody holds any');
select is(chat.ring(), false, 'and nothing is rung');

select is(pg_temp.arm('one'), true, 'armed') from generate_series(1, 2);
call pg_temp.disarm('one');
select is(pg_temp.held(), 0::bigint, 'to arm twice is to arm once');

-- A ringer holds its key for an instant: here, for longer.
select pg_advisory_lock(chat.ring_class(), 63);
select is(pg_temp.arm('one'), false, 'a key that cannot be had is not waited for');
select is(pg_temp.held(), 0::bigint, 'and then none is held');
select pg_advisory_unlock(chat.ring_class(), 63);
select is(pg_temp.arm('one'), true, 'it goes the next time');
select dblink_disconnect('one') \g /dev/null
do $$
begin
  for tries in 1 .. 1000 loop
    exit when not chat.ring();
    perform pg_sleep(0.01);
  end loop;
end $$;
select is(chat.ring(), false, 'a sleeper that dies leaves nothing behind');

select pg_advisory_lock((chat.ring_class()::bigint << 32) | k) from generate_series(0, 63) k \g /dev/null
select is(pg_temp.arm('two'), true, 'a lock by one bigint is another lock');
select pg_advisory_unlock_all();

-- What the ring does to its transaction.
begin;
select chat.ring();
select is(current_setting('synchronous_commit'), 'off', 'a ring is not waited for');
commit;
select is(current_setting('synchronous_commit'), 'on', 'that is for its transaction alone');
begin;
create table written ();
select chat.ring();
select is(current_setting('synchronous_commit'), 'on', 'what was written before is');
commit;
begin;
select chat.ring();
insert into chat.event (user_id, type, data) values (1, 'note', '{}');
select is(current_setting('synchronous_commit'), 'on', 'an event is, too');
commit;

select finish();
