-- Jobs: claims, leases, attempts; and housekeeping, which is done by them. Several claimers at once: tests/integration/jobs.test.js.
begin;
\ir ../fixture.psql
select no_plan();

create function pg_temp.claim(p_who text, p_limit int default 10, p_lease interval default '1 minute') returns text language sql as $$
  select coalesce(string_agg(format('%s/%s', j.payload ->> 'n', j.attempts), ' ' order by j.id), '') from chat.job_claim('{test,other}', p_who, p_lease, p_limit) j
$$;
create function pg_temp.job(p_n text) returns bigint language sql as $$ select id from chat.job where payload ->> 'n' = p_n $$;
create function pg_temp.state(p_n text) returns text language sql as $$
  select concat_ws(' ', state, attempts, claimed_by, last_error) from chat.job where payload ->> 'n' = p_n
$$;
-- Time passes, as far as a job can tell.
create procedure pg_temp.later(p_by interval) language sql as $$
  update chat.job set run_at = run_at - p_by, lease_until = lease_until - p_by, ended_at = ended_at - p_by
$$;

select chat.job_add('test', '{"n": 1}') as one, chat.job_add('test', '{"n": 2}', 'key') as two, chat.job_add('other', '{"n": 3}', 'key') as three \gset
select chat.job_add('unknown', '{"n": 4}') \g /dev/null
select is(chat.job_add('test', '{"n": 5}', 'key'), :two::bigint, 'the same kind and key is the same job');
select isnt(chat.job_add('test', '{"n": 6}', p_run_at => now() + interval '1 hour'), null, 'one for later');
select is(pg_temp.claim('ann', 2), '1/1 2/1', 'who asks gets what is due, the oldest first, and no more than asked for');
select is(pg_temp.claim('bea'), '3/1', 'who asks next the others, of the kinds that he knows');
select is(pg_temp.claim('cat'), '', 'then there is nothing');
select is(chat.job_done(:one, 'bea'), false, 'a job is ended by nobody else');
select is(chat.job_done(:one, 'ann'), true, 'but its claimer');
select is(pg_temp.state('1'), 'done 1', 'done');
select is(chat.job_done(:one, 'ann'), false, 'once');
select is(chat.job_add('test', '{"n": 5}', 'key'), :two::bigint, 'a key counts while a job is done');
select is(chat.job_fail(:two, 'ann', 'no answer'), true, 'an attempt fails');
select is(pg_temp.state('2'), 'open 1 no answer', 'and says why');
select is((select run_at - clock_timestamp() between interval '3 s' and interval '7 s' from chat.job where id = :two), true, 'the job waits');
select is(pg_temp.claim('ann'), '', 'and is not claimed meanwhile');
call pg_temp.later('10 s');
select is(pg_temp.claim('cat'), '2/2', 'then it is');
select is(chat.job_fail(:two, 'ann', 'late'), false, 'by another, whom nobody disturbs');

-- A lease that runs out.
call pg_temp.later('1 minute');
select is(pg_temp.claim('dan'), '2/3 3/2', 'what a lease has run out of is claimed anew');
select is(pg_temp.state('3'), 'open 2 dan bea let its lease run out', 'and says so');
select is(chat.job_done(:three, 'bea'), false, 'who comes late must take back what he did');
select is(chat.job_done(:three, 'dan'), true, 'who claimed it last has it');
select is(pg_temp.claim('dan', 10, '0 s') || pg_temp.claim('dan', 10, '0 s'), '', 'a lease that holds');
call pg_temp.later('1 minute');
select is(pg_temp.claim('eve', 10, '0 s'), '2/4', 'one of no time');
select is(chat.job_done(:two, 'eve'), true, 'is still one''s own while nobody else wants it');
call pg_temp.later('1 hour');
select is(pg_temp.claim('eve'), '6/1', 'what was for later');
select is(chat.job_done(pg_temp.job('6'), 'eve'), true, 'comes later');

-- Ten attempts.
select chat.job_add('test', '{"n": 7}') as seven, chat.job_add('test', '{"n": 8}') as eight \gset
do $$
begin
  for i in 1 .. 9 loop
    perform pg_temp.claim('fay');
    perform chat.job_fail(pg_temp.job('7'), 'fay', 'failure ' || i);
    call pg_temp.later('2 hours');
  end loop;
end $$;
select is(pg_temp.state('7') || ', ' || pg_temp.state('8'), 'open 9 failure 9, open 9 fay fay let its lease run out', 'nine attempts');
select pg_temp.claim('fay') \g /dev/null
select is(chat.job_fail(:seven, 'fay', repeat('x', 2000)), true, 'the tenth that fails');
select is((select (state, length(last_error), ended_at is not null) from chat.job where id = :seven), ('failed'::text, 1000, true), 'is the last one, and stays to be seen');
call pg_temp.later('2 hours');
select is(pg_temp.claim('fay') !~ '[78]/', true, 'it is claimed no more; nor what ten have claimed and never ended');
select is(pg_temp.state('8'), 'failed 10 fay let its lease run out', 'which has failed as well');
select throws_ok(format($$update chat.job set claimed_by = 'x' where id = %s$$, :seven), '23514', null, 'what has ended is nobody''s');

-- Housekeeping.
select pg_temp.person('alice') as alice \gset
insert into chat.session (user_id, token_hash, expires_at) select :alice, sha256(convert_to('s' || i, 'UTF8')), now() - interval '1 s' from generate_series(1, 3) i;
insert into chat.stream_ticket select sha256(convert_to('t' || i, 'UTF8')), s.id, now() + (i - 2) * interval '1 s'
  from generate_series(1, 4) i, chat.session s where s.expires_at > now();
delete from chat.event;
set local role confab_worker;
select results_eq($$select * from chat.housekeep('gil')$$, $$values ('housekeep.sessions', 3::bigint), ('housekeep.tickets', 2), ('housekeep.jobs', 0)$$, 'what has expired goes');
select is_empty($$select * from chat.housekeep('hal')$$, 'once a minute, whoever calls');
reset role;
select is((select count(*) from chat.event where type = 'session.end' and user_id = :alice), 3::bigint, 'and the ends of sessions are told');
select is((select count(*) from chat.session) || ' ' || (select count(*) from chat.stream_ticket), '1 2', 'what has not stays');
call pg_temp.later('1 minute');
select results_eq($$select kind from chat.housekeep('hal')$$, $$values ('housekeep.sessions'), ('housekeep.tickets')$$, 'a minute later it is due again');
call pg_temp.later('26 hours');
select is((select rows_deleted from chat.housekeep('hal') where kind = 'housekeep.jobs'), 4::bigint, 'jobs that were done yesterday go');
select is(pg_temp.state('7'), 'failed 10 ' || repeat('x', 1000), 'failed ones stay');
call pg_temp.later('30 days');
select is((select rows_deleted from chat.housekeep('hal') where kind = 'housekeep.jobs'), 2::bigint, 'for thirty days');

-- One chore that fails keeps none of the others, and is tried for ever.
insert into chat.session (user_id, token_hash, expires_at) values (:alice, pg_temp.token('late'), now() - interval '1 s');
create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise 'not today'; end $$;
create trigger refuse before delete on chat.session for each row execute function pg_temp.refuse();
do $$
begin
  for i in 1 .. 12 loop
    call pg_temp.later('2 hours');
    perform chat.housekeep('ida');
  end loop;
end $$;
call pg_temp.later('2 hours');
select results_eq($$select * from chat.housekeep('ida') order by 1$$, $$values ('housekeep.jobs', 0::bigint), ('housekeep.sessions', null), ('housekeep.tickets', 0)$$, 'a chore that fails fails alone');
select is((select concat_ws(' ', state, attempts, last_error) from chat.job where kind = 'housekeep.sessions'), 'open 13 not today', 'and says why');
drop trigger refuse on chat.session;
call pg_temp.later('2 hours');
select is((select rows_deleted from chat.housekeep('ida') where kind = 'housekeep.sessions'), 1::bigint, 'when it works again it is done');
select is((select concat_ws(' ', attempts, last_error) from chat.job where kind = 'housekeep.sessions'), '0', 'and forgotten that it ever failed');

select finish();
rollback;
