-- Registering, logging in and out, sessions, and finding people.
begin;
\ir ../fixture.psql
select no_plan();
set local role confab_worker;

-- Register.
create function pg_temp.register(p_login text, p_name text default 'Name') returns text language sql as $$
  select pg_temp.outcome(format('api_register(%L, ''hash'', %L, %L, 30, ''agent'')', p_login, p_name, pg_temp.token(p_login)::text))
$$;

select is(pg_temp.body($$api_register(' Alice.B ', 'hash', '  Alice  ', pg_temp.token('alice.b'), 30, 'agent')$$)
            #- '{user,id}' #- '{session,id}' #- '{session,fingerprint}' #- '{session,created_at}' #- '{session,expires_at}',
  '{"user": {"login": "alice.b", "display_name": "Alice"}, "session": {}}',
  'registering answers the person and the session; login and name are trimmed, the login is in lower case');
select is(pg_temp.register('ALICE.b'), 'CF005 login', 'a login is taken whatever its case');
select is(pg_temp.register(l), 'CF007 login', format('%s is no login', to_json(l)))
  from unnest(array['', 'a', '.a', '-a', '_a', 'a b', 'é', 'a@b', repeat('a', 33), '+123456', '+1234567890123456', '++1234567', '1+234567',
                    'a%', E'a\nb', 'админ', null]) l;
select is(pg_temp.register(l), '201', format('%s is a login', to_json(l)))
  from unnest(array['ab', '0a', 'a.b_c-d', repeat('a', 32), '+1234567', '+123456789012345']) l;
select is(pg_temp.register('name-' || n, v), 'CF007 display_name', format('%s is no name', to_json(v)))
  from unnest(array['', '   ', repeat('a', 65), E'a\tb', E'a\nb', E'a\u0085b', E'a\u2028b', E'a\u007f', E'\u200b\u200d', E'\u202e\u202c',
                    E'\u2066\u2069', E'\ufeff', E'\u3164', E'\u2800', E'\U000e0041', null]) with ordinality u (v, n);
select is(pg_temp.register('good-name-' || n, v), '201', format('%s is a name', to_json(v)))
  from unnest(array['x', repeat('ä', 64), '李', '👩‍👩‍👧', 'اسم', 'O''Brien <b>', '50% \_']) with ordinality u (v, n);
select is(pg_temp.body($$api_register('nfc', 'h', E'e\u0301', pg_temp.token('nfc'), 30, '')$$) #>> '{user,display_name}', 'é',
  'names are brought to NFC');
select is(pg_temp.outcome($$api_register('agent', 'h', 'A', pg_temp.token('agent'), 30, repeat('x', 500))$$), '201',
  'a long name of a client is cut');

-- Log in.
select is((select count(*) from chat.login_lookup('nobody')), 0::bigint, 'nobody has that login');
select is((select password_hash from chat.login_lookup(' Alice.B ')), 'hash', 'the hash, whatever the case of the login');
select user_id as alice from chat.login_lookup('alice.b') \gset
select is(pg_temp.outcome(format($$api_session_create(%s, 'old', null, pg_temp.token('s1'), 30, '')$$, :alice)), 'CF002',
  'no session when the password was changed meanwhile');
select is(pg_temp.outcome($$api_session_create(0, 'hash', null, pg_temp.token('s1'), 30, '')$$), 'CF002', 'nor for nobody');
select is(pg_temp.outcome($$api_session_create(null, null, null, pg_temp.token('s1'), 30, '')$$), 'CF002', 'nor for null');
select is(pg_temp.outcome(format($$api_session_create(%s, 'hash', null, pg_temp.token('s1'), 30, '')$$, :alice)), '201', 'a session');
select is(pg_temp.outcome(format($$api_session_create(%s, 'hash', 'newer', pg_temp.token('s2'), 30, '')$$, :alice)), '201',
  'a session, with the hash renewed');
select is((select password_hash from chat.login_lookup('alice.b')), 'newer', 'the renewed hash is kept');

-- Sessions.
select is(pg_temp.body($$api_session(pg_temp.token('s1'))$$) #>> '{user,login}', 'alice.b', 'whose session it is');
select matches(pg_temp.body($$api_session(pg_temp.token('s1'))$$) #>> '{session,expires_at}',
  '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'times are RFC 3339 in UTC');
select is(pg_temp.body($$api_me(pg_temp.token('s1'))$$), pg_temp.body($$api_session(pg_temp.token('s1'))$$) -> 'user', 'me');
select is(pg_temp.outcome($$api_logout(pg_temp.token('s1'))$$), '204', 'log out');
select is(pg_temp.outcome($$api_logout(pg_temp.token('s1'))$$), 'CF001', 'only once');
select is(pg_temp.outcome($$api_me(pg_temp.token('s2'))$$), '200', 'other sessions go on');

reset role;
select results_eq(
  $$select type, data::json ->> 'session' is not null from chat.event where user_id = (select id from chat.person where login = 'alice.b')$$,
  $$values ('session.end', true)$$,
  'the end of a session is told to the person''s devices');
update chat.session set expires_at = expires_at + interval '1 day' where token_hash = pg_temp.token('s2');
select is((select count(*) from chat.event where type = 'session.end'), 1::bigint, 'a session that is prolonged has not ended');
update chat.session set expires_at = clock_timestamp() where token_hash = pg_temp.token('s2');
select is((select count(*) from chat.event where type = 'session.end'), 2::bigint, 'one that is made to expire has, and it is told');
update chat.session set expires_at = now() - interval '1 second' where token_hash = pg_temp.token('s2');
insert into chat.person (login, display_name) values ('no-password', 'Bot');
set local role confab_worker;
select is((select count(*) from chat.login_lookup('no-password')), 0::bigint, 'without a password there is no log-in by password');

-- Every function that takes a session refuses those that are none.
select is(pg_temp.outcome(c), 'CF001', c)
  from unnest(array['pg_temp.token(''s2'')', 'pg_temp.token(''s1'')', 'pg_temp.token(''unknown'')', 'null', '''''']) t,
       lateral (select array_agg(format('%s(%s::bytea%s)', p.proname, t,
                                        (select string_agg(', null', '') from generate_series(2, p.pronargs)))) as calls
                  from pg_proc p
                 where p.pronamespace = 'chat'::regnamespace and p.proargnames[1] = 'p_token' and p.proname like 'api\_%') a,
       unnest(a.calls) c;

-- A log-in removes what ran out; and only that, and only one's own.
select is(pg_temp.outcome(format($$api_session_create(%s, 'newer', null, pg_temp.token('s3'), 30, '')$$, :alice)), '201', 'a third session');
select is(pg_temp.outcome(format($$api_session_create(%s, 'newer', null, pg_temp.token('s4'), 30, '')$$, :alice)), '201', 'a fourth');
reset role;
select results_eq(
  $$select t from unnest(array['s2', 's3', 's4']) t where exists (select from chat.session where token_hash = pg_temp.token(t)) order by t$$,
  $$values ('s3'), ('s4')$$, 'what expired is removed by the next log-in');

-- Others.
select pg_temp.person('viewer') as viewer \gset
select pg_temp.person('+4915112345', 'Frida Phone') as frida \gset
select pg_temp.person('freddy', 'Fred de Vries') as fred \gset
select pg_temp.person('fr_d', 'Underscore') as underscore \gset
select pg_temp.person('zz', 'фёдор Достоевский') as fedor \gset
set local role confab_worker;
select is(pg_temp.body(format('api_user(pg_temp.token(''viewer''), %s)', :fred)),
  jsonb_build_object('id', :fred, 'login', 'freddy', 'display_name', 'Fred de Vries'), 'another person');
select is(pg_temp.body(format('api_user(pg_temp.token(''viewer''), %s)', :frida)) -> 'login', 'null', 'whose phone number is nobody''s business');
select is(pg_temp.body($$api_me(pg_temp.token('+4915112345'))$$) ->> 'login', '+4915112345', 'but one''s own');
select is(pg_temp.outcome('api_user(pg_temp.token(''viewer''), 0)'), 'CF004', 'a person who does not exist');
select is(pg_temp.outcome('api_user(pg_temp.token(''viewer''), null)'), 'CF004', 'null is nobody');

-- Search: a login by its beginning, best first; a name by its words, in which punctuation separates and is no wildcard.
create function pg_temp.found(p_q text) returns text language sql as $$
  select coalesce(string_agg(i ->> 'display_name', ', ' order by o), '')
    from jsonb_array_elements(pg_temp.body(format('api_user_search(pg_temp.token(''viewer''), %L, 50, null)', p_q)) -> 'items')
         with ordinality e (i, o)
$$;
select is(pg_temp.found(q), f, format('%L finds %L', q, f))
  from (values ('fred', 'Fred de Vries'), ('FRED', 'Fred de Vries'), (' freddy ', 'Fred de Vries'), ('fr', 'Fred de Vries, Underscore, Frida Phone'),
               ('vri', 'Fred de Vries'), ('de fred', 'Fred de Vries'), ('fred vri', 'Fred de Vries'), ('fre vries', ''),
               ('phone', 'Frida Phone'), ('+49', ''), ('+4915112345', 'Frida Phone'), ('+4915112346', ''), ('4915112345', ''),
               ('достоев', 'фёдор Достоевский'), ('ФЁДОР', 'фёдор Достоевский'), ('viewer', ''),
               ('fr_', 'Underscore, Frida Phone, Fred de Vries'), ('f%y', ''), ('%', ''), ('_', ''), ('\', ''), ('f_ed', '')) v (q, f);
reset role;
insert into chat.person (login, display_name) values
  ('joined', 'Zoë-Maria Quick.Smith/Wesson'), ('marked', '🐘🐘 «Anna» <Nickname> O’Neil, 李小龙');
set role confab_worker;
select is(pg_temp.found(q), 'Zoë-Maria Quick.Smith/Wesson', format('%L finds a part of a joined name', q))
  from (values ('zoë'), ('zoë-'), ('zoë-ma'), ('zoë-maria'), ('maria'), ('smi'), ('wess'), (U&'zoe\0308'), ('zoe'), ('ZOÈ')) v (q);
reset role;
insert into chat.person (login, display_name) values ('folded', 'Łukasz Straße ΑΧΙΛΛΕΎΣ مُحَمَّد Øystein');
set role confab_worker;
select is(pg_temp.found(q), 'Łukasz Straße ΑΧΙΛΛΕΎΣ مُحَمَّد Øystein', format('%L finds a name with other letters', q))
  from (values ('lukasz'), ('strasse'), ('STRAẞE'), ('αχιλλευς'), ('Αχιλλεύς oyst'), ('محمد')) v (q);
select is(pg_temp.found(q), '🐘🐘 «Anna» <Nickname> O’Neil, 李小龙', format('%L finds a name among marks', q))
  from (values ('nickname'), ('<nick'), ('🐘'), ('🐘🐘'), ('anna'), ('neil'), ('o’neil anna'), ('李小')) v (q);
select is(pg_temp.outcome(format('api_user_search(pg_temp.token(''viewer''), %L, 50, null)', q)), '200', format('%s is harmless', to_json(q)))
  from unnest(array['''', '''''', '&', '|', '!', '!!', ':*', 'a:*', 'a & | b', '( )', '(a', '<->', 'a <2> b', 'a:A', '\\', 'a\', E'\t', '"a" "b',
                    ''':*', '<script>', 'http://x/y?z=1', 'a@b.c', E'\u202e', '💬', '-1', '1.5e3', repeat('a ', 50)]) q;
select is(pg_temp.outcome(format('api_user_search(pg_temp.token(''viewer''), %L, 50, null)', q)), 'CF007 q', format('%s is no query', to_json(q)))
  from unnest(array['', '   ', null, repeat('a', 101)]) q;

reset role;
select count(pg_temp.person('many' || i, 'Many of us')) as many from generate_series(1, 25) i \gset
set local role confab_worker;
select is(pg_temp.pages($$api_user_search(pg_temp.token('viewer'), 'many', 10, %s)$$, 'after', 'login'),
  (select string_agg(p, ' | ' order by p) from (
     select string_agg('many' || i, ' ' order by i) as p from generate_series(1, 25) i group by (i - 1) / 10) g),
  'pages of a search, by their links: 10, 10 and 5, none twice');
select is((select link from chat.api_user_search(pg_temp.token('viewer'), 'many ü&', 50, null)), null, 'no link on a last page');
select matches((select link from chat.api_user_search(pg_temp.token('viewer'), 'Many OF', 1, null)), '^\?q=many%20of&limit=1&after=\d+\.\d+$',
  'a link holds the query, encoded');
select is(pg_temp.outcome(format('api_user_search(pg_temp.token(''viewer''), ''many'', 10, %L)', a)), 'CF012', format('%L is no place', a))
  from unnest(array['', 'x', '1', '1.', '.1', '1.2.3', '-1.2', '1.9999999999999999999', '1.2''']) a;
select is(jsonb_array_length(pg_temp.body(format('api_user_search(pg_temp.token(''viewer''), ''many'', %L, null)', l)) -> 'items'), n,
  format('a limit of %L gives %s', l, n))
  from (values (null, 25), (0, 1), (-5, 1), (3, 3), (1000000, 25)) v (l, n);

select finish();
rollback;
