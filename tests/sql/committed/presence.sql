-- Leases, what is told of them and what is asked, with a second connection that holds locks and a third that listens.
\ir ../fixture.psql
create extension dblink;
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol, pg_temp.person('dave') as dave \gset
select pg_temp.room('private', 'Pair', 'all', :alice, :bob) as pair, pg_temp.room('private', 'Trio', 'all', :alice, :bob, :carol) as trio \gset

select dblink_connect(name, format('host=%s port=%s dbname=%s user=postgres', current_setting('unix_socket_directories'), current_setting('port'), current_database()))
  from unnest(array['second', 'ears']) name
\g /dev/null
select dblink_exec('ears', 'listen chat_signal') \g /dev/null
create procedure pg_temp.second(p_sql text) language plpgsql as $$ begin perform dblink_exec('second', p_sql); end $$;

-- What has been told since the last call: "online PERSON in ROOMS". What was notified before has come with the answer to a query.
create function pg_temp.heard() returns text language plpgsql as $$
declare
  v_heard text;
begin
  perform from dblink('ears', 'select 1') t (one int);
  select string_agg(format('%s %s in %s', substring(extra from '^presence\.(\w+) '), p.login, split_part(extra, ' ', 3)), ', ' order by p.login) into v_heard
    from dblink_get_notify('ears') n (channel, pid, extra)
    join chat.person p on p.id = split_part(extra, ' ', 2)::bigint
   where (substr(extra, strpos(extra, '{'))::json ->> 'user')::bigint = p.id;
  return coalesce(v_heard, 'nothing');
end
$$;
create function pg_temp.said(p_what text, p_who text, variadic p_rooms bigint[]) returns text language sql as $$
  select format('%s %s in %s', p_what, p_who, array_to_string(p_rooms, ','))
$$;
create function pg_temp.ids(variadic p_logins text[]) returns bigint[] language sql as $$
  select array_agg(id order by id) from chat.person where login = any (p_logins)
$$;
-- Who could not be held.
create function pg_temp.hold(p_daemon text, variadic p_logins text[]) returns bigint[] language sql as $$
  select array(select chat.feed_presence_hold(p_daemon, pg_temp.ids(variadic p_logins), 60))
$$;
create procedure pg_temp.release(p_daemon text, variadic p_logins text[]) language plpgsql as $$
begin
  perform chat.feed_presence_release(p_daemon, pg_temp.ids(variadic p_logins), 0);
end
$$;
-- A sweep after the rest between two; the server has been up for long enough.
create function pg_temp.sweep(p_seconds int default 0) returns boolean language plpgsql as $$
begin
  update chat.lease_watch set swept_at = swept_at - interval '1 s';
  return chat.feed_presence_sweep(p_seconds);
end
$$;
create procedure pg_temp.sure() language sql as $$ update chat.lease_watch set sure_at = now() - interval '1 s', swept_at = now(), lease = '0 s' $$;
create function pg_temp.online() returns text language sql as $$
  select coalesce(string_agg(login, ' ' order by login), 'nobody') from chat.online
$$;

-- Each change is told once.
select is(pg_temp.hold('one', 'alice'), '{}', 'alice connects');
select is(pg_temp.heard(), pg_temp.said('online', 'alice', :pair, :trio), 'and is online');
call pg_temp.sure();
select is(pg_temp.hold('one', 'alice'), '{}', 'she is held again');
select is(pg_temp.hold('two', 'alice', 'bob'), '{}', 'she connects to another daemon, and bob with her');
select is(pg_temp.heard(), pg_temp.said('online', 'bob', :pair, :trio), 'which is told of him');
select is(pg_temp.online(), 'alice bob', 'both are online');
select is((select held_by from chat.online where login = 'alice'), '{one,two}', 'chat.online says by whom');
call pg_temp.release('one', 'alice');
select is(pg_temp.sweep(), false, 'nobody has gone');
call pg_temp.release('two', 'alice', 'dave');
select is(pg_temp.online(), 'bob', 'the last lease has run out');
select is(pg_temp.heard(), 'nothing', 'which is not told yet');
select is(pg_temp.sweep(), false, 'a sweep finds it');
select is(pg_temp.heard(), pg_temp.said('offline', 'alice', :pair, :trio), 'and it is told');
select is(pg_temp.sweep(), false, 'once');
select is(pg_temp.heard(), 'nothing', 'and not again');
select is((select count(*) from chat.lease where user_id = :alice), 0::bigint, 'nothing is left of her leases');
select is((select last_seen from chat.presence where user_id = :alice) between now() - interval '1 minute' and now(), true, 'she was seen a moment ago');
select is(pg_temp.hold('two', 'alice'), '{}', 'she comes back');
select is(pg_temp.heard(), pg_temp.said('online', 'alice', :pair, :trio), 'which is told');

-- Grace.
select chat.feed_presence_release('two', pg_temp.ids('alice'), 30) \g /dev/null
select is((select until between now() + interval '20 s' and now() + interval '30 s' from chat.lease where user_id = :alice), true, 'a lease that is released runs for the grace');
select is(pg_temp.sweep(), false, 'meanwhile she has not gone');
select is(pg_temp.hold('one', 'alice'), '{}', 'and comes back');
call pg_temp.release('two', 'alice');
select is(pg_temp.sweep(), false, 'the old lease ends');
select is(pg_temp.heard(), 'nothing', 'without a word');
update chat.lease set until = now() - interval '1 s' where user_id = :alice;
select chat.feed_presence_release('one', pg_temp.ids('alice'), 30) \g /dev/null
select is(pg_temp.online(), 'bob', 'a lease that has run out is not given grace');
select is(pg_temp.hold('one', 'alice'), '{}', 'she is held before anybody swept');
select is(pg_temp.heard(), pg_temp.said('online', 'alice', :pair, :trio), 'and told again, since who asked meanwhile was told that she is not there');

-- A crash empties what is not logged.
truncate chat.lease, chat.lease_watch;
select is(pg_temp.online(), 'alice bob', 'leases that are lost say nothing');
select is(chat.feed_presence_sweep(60), false, 'a sweep then only begins to watch');
select is(pg_temp.hold('one', 'alice'), '{}', 'alice is held again');
select is(pg_temp.sweep(60), false, 'nobody is swept within a lease''s length');
select is(pg_temp.online() || '; ' || pg_temp.heard(), 'alice bob; nothing', 'nobody blinks');
update chat.lease_watch set lease = '1 s', sure_at = now();
select is(pg_temp.sweep(), false, 'after it');
select is(pg_temp.heard(), pg_temp.said('offline', 'bob', :pair, :trio), 'who did not come back has gone');
select is((select w.sure_at - w.lease <= p.last_seen from chat.presence p, chat.lease_watch w where user_id = :bob), true, 'and was last seen when the leases were lost');
truncate chat.lease, chat.lease_watch;
select is(pg_temp.hold('one', 'alice', 'bob'), '{}', 'the first to hold begins the watch, too');
select is(pg_temp.heard(), pg_temp.said('online', 'bob', :pair, :trio), 'and only who was offline comes');
select is((select sure_at from chat.lease_watch) > now() + interval '50 s', true, 'for a lease''s length');

-- The database, or all daemons, were away.
call pg_temp.sure();
update chat.lease set until = now() - interval '1 hour';
update chat.lease_watch set swept_at = now() - interval '16 s';
select is(pg_temp.online(), 'nobody', 'without daemons nobody is online');
select is(chat.feed_presence_sweep(60), false, 'the first sweep after a pause');
select is(pg_temp.online(), 'alice bob', 'waits for those who are connected');
select is(pg_temp.hold('two', 'alice'), '{}', 'of whom alice is one');
select is(pg_temp.heard(), 'nothing', 'who never went');
call pg_temp.sure();
select is(chat.lease_unsure(), false, 'in time');
update chat.lease_watch set lease = '1 day';
select is(chat.lease_unsure(), true, 'a server that was started within a lease''s length makes no difference between gone and not held again');
update chat.lease set until = now() - interval '2 hours' where user_id = :bob;
call pg_temp.sure();
select is(pg_temp.sweep(), false, 'and then');
select is(pg_temp.heard(), pg_temp.said('offline', 'bob', :pair, :trio), 'bob has gone');

-- One sweeps at a time, and rests.
select is(chat.feed_presence_sweep(0), false, 'right after a sweep');
select is((select swept_at < now() from chat.lease_watch), true, 'there is none');
call pg_temp.second('begin');
call pg_temp.second('do $$ begin perform from chat.lease_watch for no key update; end $$');
update chat.lease set until = now() - interval '1 s';
select is((select chat.feed_presence_sweep(0) from pg_sleep(0.5)), false, 'while somebody else sweeps');
call pg_temp.second('rollback');
select is(pg_temp.heard(), 'nothing', 'nobody does');
select is(pg_temp.sweep(), false, 'but then');
select is(pg_temp.heard(), pg_temp.said('offline', 'alice', :pair, :trio), 'somebody does');

-- What somebody has locked is passed over.
call pg_temp.second('begin');
call pg_temp.second(format('delete from chat.person where id = %s', :bob));
select is(pg_temp.hold('one', 'alice', 'bob', 'carol'), array[:bob]::bigint[], 'who is locked could not be held');
select is(pg_temp.heard(), pg_temp.said('online', 'alice', :pair, :trio) || ', ' || pg_temp.said('online', 'carol', :trio), 'the others are');
call pg_temp.second('rollback');
select is(pg_temp.hold('one', 'alice', 'bob', 'carol'), '{}', 'afterwards he is, too');
call pg_temp.second('begin');
call pg_temp.second(format('delete from chat.person where id = %s', :bob));
select is(pg_temp.hold('one', 'alice', 'bob'), array[:bob]::bigint[], 'a lease that is locked is not waited for');
call pg_temp.second('rollback');
select is(pg_temp.heard(), pg_temp.said('online', 'bob', :pair, :trio), 'bob came once');
set lock_timeout = '2s';
call pg_temp.second('begin');
call pg_temp.second(format($$update chat.person set login = 'bobby' where id = %s$$, :bob));
select is(pg_temp.hold('two', 'alice', 'bob'), array[:bob]::bigint[], 'a person who is locked is not waited for');
update chat.lease set until = now() - interval '2 hours' where holder = 'two';
call pg_temp.second($$update chat.lease set until = until where holder = 'two'$$);
select lives_ok('select pg_temp.sweep()', 'nor is a lease that ran out long ago');
select is(pg_temp.hold('two', 'alice', 'carol'), pg_temp.ids('alice'), 'nor is one that would be had again');
call pg_temp.second('rollback');
reset lock_timeout;
delete from chat.lease where holder = 'two';
call pg_temp.release('one', 'alice', 'bob', 'carol');
call pg_temp.second('begin');
call pg_temp.second(format('update chat.presence set last_seen = last_seen where user_id = %s', :bob));
select is(pg_temp.sweep(), false, 'a sweep passes over who is locked');
select is(pg_temp.heard(), pg_temp.said('offline', 'alice', :pair, :trio) || ', ' || pg_temp.said('offline', 'carol', :trio), 'the others went');
call pg_temp.second('rollback');
select is(pg_temp.sweep(), false, 'and next time');
select is(pg_temp.heard(), pg_temp.said('offline', 'bob', :pair, :trio), 'he did');

-- A lease that is renewed in its last moment is not swept meanwhile.
select is(pg_temp.hold('one', 'alice'), '{}', 'alice connects');
update chat.lease set until = clock_timestamp() + interval '300 ms';
call pg_temp.second('begin');
call pg_temp.second(format('do $$ begin perform chat.feed_presence_hold(''one'', array[%s]::bigint[], 60); end $$', :alice));
select (select pg_sleep(greatest(0, extract(epoch from until - clock_timestamp()) + 0.01)) from chat.lease where user_id = :alice) \g /dev/null
select is(pg_temp.sweep(), false, 'here it has run out');
call pg_temp.second('commit');
select is(pg_temp.online(), 'alice', 'there it was renewed');
select is(pg_temp.heard(), pg_temp.said('online', 'alice', :pair, :trio), 'and she came only once');

-- Many who go are told in portions.
insert into chat.person (login, display_name) select 'crowd' || i, 'Crowd' from generate_series(1, 700) i;
insert into chat.presence (user_id, online) select id, true from chat.person where login like 'crowd%';
select is(pg_temp.sweep(), true, 'there are more');
select is((select count(*) from chat.presence where online), 201::bigint, 'than one sweep takes');
select is(pg_temp.sweep(), false, 'the second takes the rest');
select is(pg_temp.online(), 'alice', 'and only those who went');

-- Whom it is told.
set chat.broadcast_members = 2;
select is(pg_temp.hold('one', 'bob', 'carol'), '{}', 'where two make a large room');
select is(pg_temp.heard(), pg_temp.said('online', 'bob', :pair), 'those in larger rooms are not told');
select is(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') #> '{presence}' @> jsonb_build_array(jsonb_build_object('user', :bob::bigint, 'online', true)), true, 'a snapshot has those of small rooms');
select is(jsonb_array_length(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') -> 'presence'), 1, 'and no others');
reset chat.broadcast_members;
select is((select jsonb_agg((p ->> 'user')::bigint) from jsonb_array_elements(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') -> 'presence') p), jsonb_build_array(:bob::bigint, :carol::bigint), 'where more do not');
call pg_temp.release('one', 'carol');
select is((select jsonb_agg(p - 'last_seen') from jsonb_array_elements(pg_temp.body('api_snapshot(pg_temp.token(''alice''))') -> 'presence') p),
  jsonb_build_array(jsonb_build_object('user', :bob::bigint, 'online', true), jsonb_build_object('user', :carol::bigint, 'online', false)), 'a snapshot also has who is not online');
select pg_temp.heard() \g /dev/null
select count(pg_temp.room('private', 'R' || i, 'all', :dave, :alice)) from generate_series(1, 700) i \g /dev/null
select is(pg_temp.hold('one', 'dave'), '{}', 'one in many rooms');
select from dblink('ears', 'select 1') t (one int) \g /dev/null
select is((select (count(*), max(octet_length(extra)) < 7900, sum(cardinality(string_to_array(split_part(extra, ' ', 3), ',')))) from dblink_get_notify('ears') n (channel, pid, extra)),
  (3::bigint, true, 700::bigint), 'is told in several notifications, which name each room once');

-- Asking.
select is(pg_temp.body(format('api_presence(pg_temp.token(''bob''), array[%s, %s, %s, %s, 0]::bigint[])', :carol, :alice, :alice, :dave)) -> 'items' -> 0 ->> 'user', :'alice', 'people one shares a room with');
select is((select jsonb_agg(p - 'last_seen') from jsonb_array_elements(pg_temp.body(format('api_presence(pg_temp.token(''bob''), array[%s, %s, %s]::bigint[])', :carol, :alice, :dave)) -> 'items') p),
  jsonb_build_array(jsonb_build_object('user', :alice::bigint, 'online', true), jsonb_build_object('user', :carol::bigint, 'online', false)), 'and no others');
select pg_temp.person('erin') as erin \gset
insert into chat.member (room_id, user_id) values (:pair, :erin);
select is(pg_temp.body(format('api_presence(pg_temp.token(''bob''), array[%s]::bigint[])', :erin)), jsonb_build_object('items', jsonb_build_array(jsonb_build_object('user', :erin::bigint, 'online', false, 'last_seen', null))), 'one who never was online');
select is(pg_temp.outcome($$api_presence(pg_temp.token('bob'), array(select generate_series(1, 201)))$$), 'CF007 users', 'not too many at once');
select is(pg_temp.body($$api_presence(pg_temp.token('bob'), '{}')$$), '{"items": []}', 'nobody');
select is(pg_temp.pages(format('api_room_active(pg_temp.token(''carol''), %s, 1, %%s)', :trio), 'after', 'login'), 'alice | bob', 'who is in the room');
select is(pg_temp.outcome(format('api_room_active(pg_temp.token(''erin''), %s, null, null)', :trio)), 'CF004', 'only members ask');

-- Polling.
select is(pg_temp.outcome($$api_presence_poll(pg_temp.token('erin'), 30)$$), '204', 'who polls');
select is(pg_temp.heard(), pg_temp.said('online', 'erin', :pair), 'is online');
select (xmin, ctid) as version from chat.lease where user_id = :erin \gset
select is(pg_temp.outcome($$api_presence_poll(pg_temp.token('erin'), 30)$$), '204', 'the next poll');
select is((select (xmin, ctid) from chat.lease where user_id = :erin)::text, :'version', 'writes nothing');
update chat.lease set until = now() + interval '19 s' where user_id = :erin;
select is(pg_temp.outcome($$api_presence_poll(pg_temp.token('erin'), 30)$$), '204', 'but when a third is over');
select is((select until > now() + interval '25 s' from chat.lease where user_id = :erin), true, 'it renews the lease');
select is(pg_temp.heard(), 'nothing', 'in silence');

-- Rows of a person who is deleted go.
delete from chat.room where id = :pair;
delete from chat.person where id in (:erin, :dave);
select is((select count(*) from chat.presence full join chat.lease using (user_id) where user_id in (:erin, :dave)), 0::bigint, 'of a person who is deleted nothing remains');
select is(pg_temp.hold('one', 'alice'), '{}', 'the others stay');
select is(array(select chat.feed_presence_hold('one', array[:erin]::bigint[], 60)), array[:erin]::bigint[], 'one who is no more cannot be held');

-- Durable is what wrote before.
begin;
select chat.commit_async() \g /dev/null
select is(current_setting('synchronous_commit'), 'off', 'presence does not wait for the disk');
insert into chat.message (room_id, sender_id, body) values (:trio, :bob, 'x');
select is(current_setting('synchronous_commit'), 'on', 'a message in the same transaction does');
select chat.commit_async() \g /dev/null
select is(current_setting('synchronous_commit'), 'on', 'also when presence follows it');
commit;

select finish();
