-- Tickets, and how sessions end.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob \gset
select id as session from chat.session where user_id = :alice \gset
create function pg_temp.take(p_who text, p_ticket text) returns text language sql as $$
  select pg_temp.outcome(format('api_stream_ticket(pg_temp.token(%L), pg_temp.token(%L))', p_who, p_ticket))
$$;
-- Whose session each of the tickets opens, as ORD LOGIN.
create function pg_temp.redeem(variadic p_tickets text[]) returns text language sql as $$
  select coalesce(string_agg(f.ord || ' ' || l.login, ', ' order by f.ord), '')
    from chat.feed_tickets(array(select n::int from generate_subscripts(p_tickets, 1) n), array(select pg_temp.token(t) from unnest(p_tickets) t)) f
    left join (values ('alice'), ('bob')) l (login) on pg_temp.token(l.login) = f.token_hash
$$;

set local role confab_worker;
select is(pg_temp.body($$api_stream_ticket(pg_temp.token('alice'), pg_temp.token('a1'))$$), '{"expires_in": 30}', 'a ticket, and how long it is good');
select is(pg_temp.outcome($$api_stream_ticket(pg_temp.token('nobody'), pg_temp.token('n'))$$), 'CF001', 'not for nobody');
select is(pg_temp.outcome($$api_stream_ticket(null, pg_temp.token('n'))$$), 'CF001', 'nor for null');
select is(pg_temp.take('bob', 'b1') || pg_temp.take('alice', 'a2') || pg_temp.take('alice', 'a3'), '201201201', 'more of them');
set local role confab_daemon;
select is(pg_temp.redeem('x', 'b1', 'a1', 'a1', null), '2 bob, 3 alice', 'a ticket opens its session; twice in one batch the first of them');
select is(pg_temp.redeem('b1', 'a1'), '', 'never again');
select is_empty($$select from chat.feed_tickets('{}', '{}')$$, 'an empty batch');
reset role;
update chat.stream_ticket set expires_at = now() where ticket_hash = pg_temp.token('a2');
select is(pg_temp.redeem('a2'), '', 'nor when it has expired');
update chat.session set expires_at = now() where user_id = :bob;
select is(pg_temp.take('bob', 'b2'), 'CF001', 'a session that has expired gets none');
delete from chat.session where id = :session;
select is(pg_temp.redeem('a3'), '', 'a session that has ended takes its tickets along');
select is((select count(*) from chat.stream_ticket), 0::bigint, 'nothing stays');
insert into chat.session (user_id, token_hash, expires_at) values (:alice, pg_temp.token('alice'), now() + interval '1 day');

-- A session has 20 that are unused, and whoever wants more is told when.
select is((select string_agg(pg_temp.take('alice', 'm' || i), ' ' order by i) from generate_series(1, 20) i), rtrim(repeat('201 ', 20)), 'twenty at once');
create function pg_temp.later() returns text language plpgsql as $$
declare
  v_hint text;
begin
  perform chat.api_stream_ticket(pg_temp.token('alice'), pg_temp.token('more'));
  return 'taken';
exception
  when sqlstate 'CF009' then
    get stacked diagnostics v_hint = pg_exception_hint;
    return v_hint;
end
$$;
select is(pg_temp.later()::int between 28 and 31, true, 'one more is to be asked for when the first has expired');
update chat.stream_ticket set expires_at = now() - interval '1 second' where ticket_hash = pg_temp.token('m7');
select is(pg_temp.take('alice', 'm21'), '201', 'which makes room');
select is((select count(*) from chat.stream_ticket), 20::bigint, 'for what has expired goes');
select is(pg_temp.redeem('m1'), '1 alice', 'one that is used');
select is(pg_temp.take('alice', 'm22'), '201', 'makes room as well');
select is(octet_length(ticket_hash), 32, 'only hashes are stored') from chat.stream_ticket limit 1;
select throws_ok(format($$insert into chat.stream_ticket values ('short', (select max(id) from chat.session), now())$$), '23514', null, 'and nothing else');

-- However sessions end, each end is told once.
delete from chat.session where user_id in (:alice, :bob);
delete from chat.event;
insert into chat.session (user_id, token_hash, expires_at) select u, sha256(convert_to(u || '/' || i, 'UTF8')), now() + interval '1 day' from unnest(array[:alice, :bob]) u, generate_series(1, 3) i;
create temp table opened as select id, user_id from chat.session;
delete from chat.session where user_id = :alice;
select results_eq(format('select (data::json ->> ''session'')::bigint, room_id from chat.event where type = ''session.end'' and user_id = %s order by 1', :alice),
  format('select id, null::bigint from opened where user_id = %s order by 1', :alice), 'all of a person at once');
delete from chat.person where id = :bob;
select results_eq($$select user_id, (data::json ->> 'session')::bigint from chat.event where type = 'session.end' order by 2$$,
  'select user_id, id from opened order by 2', 'with the person');

select finish();
rollback;
