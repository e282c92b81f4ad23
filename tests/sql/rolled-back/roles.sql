-- Who may do what: each program only its functions, the administrator more.
begin;
\ir ../fixture.psql
select no_plan();

create temp table expected as
select p.oid::regprocedure as routine,
       p.proname like 'api\_%' or p.proname in ('login_lookup', 'epoch_begin', 'ring', 'housekeep') as worker,
       p.proname like 'feed\_%' or p.proname in ('event_prune', 'epoch_begin', 'ring_arm', 'ring_disarm', 'housekeep', 'job_claim', 'job_done', 'job_fail') as daemon
  from pg_proc p
 where p.pronamespace = 'chat'::regnamespace;

select cmp_ok((select count(*) from expected where worker), '>=', 22::bigint, 'the worker has its functions');
select results_eq(
  $$select routine::text from expected where has_function_privilege('confab_worker', routine, 'execute') order by 1$$,
  $$select routine::text from expected where worker order by 1$$,
  'the worker may call the API, login_lookup, epoch_begin, ring and housekeep, and nothing else');
select results_eq(
  $$select routine::text from expected where has_function_privilege('confab_daemon', routine, 'execute') order by 1$$,
  $$select routine::text from expected where daemon order by 1$$,
  'the daemon may call feed_ functions, event_prune, epoch_begin, the doorbell''s, housekeep and a job''s, and nothing else');
select is_empty(
  $$select routine from expected where not has_function_privilege('confab_admin', routine, 'execute')$$,
  'the administrator may call everything');
select is_empty(
  $$select routine from expected e join pg_proc p on p.oid = e.routine, aclexplode(p.proacl) a where a.grantee = 0$$,
  'nothing in the schema may be called by everybody');
select is_empty(
  $$select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'chat'::regnamespace and p.proacl is null$$,
  'no function has the default privileges, which let everybody call it');
select is_empty(
  $$select c.oid::regclass, r.rolname, w
      from pg_class c, pg_roles r, unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) w
     where c.relnamespace = 'chat'::regnamespace and c.relkind in ('r', 'v')
       and r.rolname in ('confab_worker', 'confab_daemon') and has_table_privilege(r.oid, c.oid, w)$$,
  'worker and daemon may touch no table');
select is_empty(
  $$select c.oid::regclass, r.rolname
      from pg_class c, pg_roles r
     where c.relnamespace = 'chat'::regnamespace and c.relkind = 'S' and r.rolname in ('confab_worker', 'confab_daemon')
       and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')$$,
  'worker and daemon may touch no sequence');

-- The catalogue says one thing; trying says whether it is so.
select pg_temp.person('alice') as alice \gset
select pg_temp.person('bob') as bob \gset
select pg_temp.room('private', 'Room', 'all', :alice, :bob) as room \gset

set local role confab_worker;
select is(pg_temp.outcome($$api_me(pg_temp.token('alice'))$$), '200', 'the worker calls the API');
select throws_ok('select from chat.person', '42501', null, 'the worker reads no table');
select throws_ok($$select chat.session_user_id('')$$, '42501', null, 'the worker calls no inner function');
select throws_ok('select chat.feed_read(null)', '42501', null, 'the worker reads no feed');
select throws_ok($$select chat.event_prune('1 day')$$, '42501', null, 'the worker prunes nothing');
select lives_ok($$select chat.housekeep('worker')$$, 'the worker keeps house');
select throws_ok($$select chat.job_claim('{x}', 'worker', '1 minute', 1)$$, '42501', null, 'the worker claims no job');
select throws_ok($$select chat.feed_tickets('{1}', '{x}')$$, '42501', null, 'the worker redeems no ticket');
select throws_ok('create table chat.mine ()', '42501', null, 'the worker makes no table');

set local role confab_daemon;
select lives_ok('select chat.feed_read(null)', 'the daemon reads the feed');
select throws_ok('select from chat.event', '42501', null, 'the daemon reads no table');
select lives_ok($$select chat.feed_tickets('{1}', '{x}')$$, 'the daemon redeems tickets');
select lives_ok($$select chat.feed_receipts('{1}', '{1}', '{1}', '{read}', '{1}')$$, 'it tells receipts');
select lives_ok($$select chat.housekeep('daemon'), chat.job_claim('{x}', 'daemon', '1 minute', 1), chat.job_done(1, 'daemon'), chat.job_fail(1, 'daemon', '')$$,
  'it keeps house, and does jobs');
select lives_ok($$select chat.feed_presence_hold('d', '{1}', 60), chat.feed_presence_release('d', '{1}', 30), chat.feed_presence_sweep(60)$$, 'it says who is there');
select throws_ok($$select chat.job_add('x')$$, '42501', null, 'which it does not add');
select throws_ok('delete from chat.job', '42501', null, 'nor delete');
select throws_ok($$select chat.api_me(pg_temp.token('alice'))$$, '42501', null, 'the daemon does not call the API');

set local role confab_admin;
select lives_ok('select from chat.person, chat.room, chat.member, chat.message, chat.session, chat.event, chat.room_counter, chat.job, chat.stream_ticket, chat.presence, chat.lease, chat.typing',
  'the administrator reads every table');
select lives_ok('select * from chat.online', 'he sees who is online');
select lives_ok(format($$insert into chat.message (room_id, sender_id, body) values (%s, %s, 'from the console')$$, :room, :alice),
  'the administrator writes a message by a plain INSERT');
select lives_ok(format('delete from chat.member where room_id = %s and user_id = %s', :room, :bob), 'he removes a member');
select lives_ok(format('insert into chat.member (room_id, user_id) values (%s, %s)', :room, :bob), 'he lets one in');
select lives_ok(format('update chat.room set archived_at = now() where id = %s', :room), 'he archives a room');
select lives_ok(format('delete from chat.session where user_id = %s', :bob), 'he ends sessions');
select lives_ok($$insert into chat.person (login, display_name) values ('carol', 'Carol')$$, 'he makes people');
select lives_ok($$insert into chat.room (kind, name) values ('public', 'Lobby')$$, 'he makes rooms');
select throws_ok($$insert into chat.event (room_id, type, data) values (1, 'x', '{}')$$, '42501', null,
  'he does not write to the event log: triggers do');
select throws_ok('update chat.message set body = body', '42501', null, 'he does not rewrite messages in place');
select throws_ok('update chat.room_counter set last_seq = 0', '42501', null, 'he does not move counters');
select lives_ok($$select chat.job_add('x'), chat.housekeep('admin')$$, 'he adds jobs, and keeps house');
select throws_ok('update chat.member set read_seq = 0', '42501', null, 'he does not move read marks');
select throws_ok('update chat.log_state set epoch = null', '42501', null, 'he does not touch the log''s state');

reset role;
select is((select rolcanlogin from pg_roles where rolname = 'confab_owner'), false, 'the owner cannot log in');
select is_empty(
  $$select c.relname from pg_class c where c.relnamespace = 'chat'::regnamespace and c.relowner <> 'confab_owner'::regrole
    union all
    select p.proname from pg_proc p where p.pronamespace = 'chat'::regnamespace and p.proowner <> 'confab_owner'::regrole$$,
  'everything belongs to the owner');
select is_empty(
  $$select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'chat'::regnamespace and p.prosecdef
       and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']$$,
  'a security definer function has a fixed search_path');
select is_empty(
  $$select routine from expected e join pg_proc p on p.oid = e.routine where (e.worker or e.daemon) and not p.prosecdef$$,
  'what programs call acts as the owner');

select finish();
rollback;
