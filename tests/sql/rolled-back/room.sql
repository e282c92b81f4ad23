-- Dialogs, rooms, and who is in them.
begin;
\ir ../fixture.psql
select no_plan();

select pg_temp.person('alice') as alice, pg_temp.person('bob') as bob, pg_temp.person('carol') as carol, pg_temp.person('dave') as dave \gset

-- Dialogs.
set local role confab_worker;
select status, body::jsonb as body from chat.api_dialog_open(pg_temp.token('alice'), :bob) \gset dialog_
select is(:dialog_status, 201, 'a dialog is made');
select :'dialog_body'::jsonb ->> 'id' as dialog \gset
select is(:'dialog_body'::jsonb - '{id,last_at,receipts}'::text[],
  jsonb_build_object('kind', 'dialog', 'name', null, 'topic', '', 'history', 'all', 'archived', false, 'last_seq', 0, 'first_seq', 1,
    'read_seq', 0, 'unread', 0, 'mentions', 0, 'role', 'member', 'members_count', 2,
    'peer', jsonb_build_object('id', :bob, 'display_name', 'Bob'), 'last_message', null),
  'a new dialog');
select is(:'dialog_body'::jsonb -> 'receipts', jsonb_build_array(
    jsonb_build_object('user', :alice, 'read_seq', 0, 'delivered_seq', 0), jsonb_build_object('user', :bob, 'read_seq', 0, 'delivered_seq', 0)), 'its receipts');
select is(pg_temp.outcome(format('api_dialog_open(pg_temp.token(''alice''), %s)', :bob)), '200', 'opened again it is found');
select is(pg_temp.body(format('api_dialog_open(pg_temp.token(''bob''), %s)', :alice)) ->> 'id', :'dialog', 'by the other one too');
select is(pg_temp.body(format('api_dialog_open(pg_temp.token(''bob''), %s)', :alice)) #>> '{peer,display_name}', 'Alice', 'who sees his peer');
select is(pg_temp.outcome(format('api_dialog_open(pg_temp.token(''alice''), %s)', :alice)), 'CF007 user', 'not with oneself');
select is(pg_temp.outcome('api_dialog_open(pg_temp.token(''alice''), 0)'), 'CF004', 'not with nobody');
select is(pg_temp.outcome('api_dialog_open(pg_temp.token(''alice''), null)'), 'CF004', 'not with null');
select is(pg_temp.outcome(format('api_member_put(pg_temp.token(''carol''), %s, null)', :dialog)), 'CF004', 'a third does not see it');
select is(pg_temp.outcome(format('api_member_put(pg_temp.token(''alice''), %s, %s)', :dialog, :carol)), 'CF003', 'and is not let in');
select is(pg_temp.outcome(format('api_member_delete(pg_temp.token(''alice''), %s, null)', :dialog)), 'CF006', 'it cannot be left');
reset role;
select throws_ok(format('insert into chat.member (room_id, user_id) values (%s, %s)', :dialog, :carol), 'CF006', null,
  'a plain INSERT of a third is refused as well');
select throws_ok(format($$insert into chat.room (kind, dialog_low, dialog_high) values ('dialog', %s, %s)$$, :bob, :alice), '23514', null,
  'a dialog has its people in order');
select throws_ok(format($$insert into chat.room (kind, dialog_low, dialog_high) values ('dialog', %s, %s)$$, :alice, :bob), '23505', null,
  'a pair has one dialog');
select throws_ok($$insert into chat.room (kind, name) values ('dialog', 'x')$$, '23514', null, 'a dialog has no name but two people');
select throws_ok(format($$insert into chat.room (kind, name, dialog_low, dialog_high) values ('private', 'x', %s, %s)$$, :alice, :bob), '23514', null,
  'a room is no dialog');

-- Rooms.
set local role confab_worker;
select is(pg_temp.outcome(format('api_room_create(pg_temp.token(''alice''), %s)', a)), r, format('api_room_create(%s) is %s', a, r))
  from (values ($$'private', 'R', null, null, null$$, '201'),
               ($$'public', 'R', 'topic', 'since_join', '{}'$$, '201'),
               ($$'private', 'R', null, null, array[null]::bigint[]$$, '201'),
               ($$'dialog', 'R', null, null, null$$, 'CF007 kind'),
               ($$null, 'R', null, null, null$$, 'CF007 kind'),
               ($$'private', null, null, null, null$$, 'CF007 name'),
               ($$'private', ' ', null, null, null$$, 'CF007 name'),
               ($$'private', E'a\nb', null, null, null$$, 'CF007 name'),
               ($$'private', repeat('x', 81), null, null, null$$, 'CF007 name'),
               ($$'private', 'R', repeat('x', 301), null, null$$, 'CF007 topic'),
               ($$'private', 'R', E'a\u0007', null, null$$, 'CF007 topic'),
               ($$'private', 'R', null, 'some', null$$, 'CF007 history'),
               ($$'private', 'R', null, null, '{0}'$$, 'CF007 members'),
               ($$'private', 'R', null, null, array(select generate_series(1, 102)::bigint)$$, 'CF007 members')) v (a, r);
select is(pg_temp.body($$api_room_create(pg_temp.token('alice'), 'private', 'R', null, null, null)$$) ->> 'history', 'since_join',
  'a private room shows what came since one joined');
select is(pg_temp.body($$api_room_create(pg_temp.token('alice'), 'public', 'R', null, null, null)$$) ->> 'history', 'all', 'a public one all');

select pg_temp.body(format('api_room_create(pg_temp.token(''alice''), ''private'', ''Team'', null, null, array[%s, %s, %s])', :bob, :alice, :bob))
         ->> 'id' as team \gset
select pg_temp.body('api_room_create(pg_temp.token(''alice''), ''public'', ''Lobby'', null, null, null)') ->> 'id' as lobby \gset
select is(pg_temp.body(format('api_room(pg_temp.token(''alice''), %s)', :team)) - '{id,last_at,receipts}'::text[],
  '{"kind": "private", "name": "Team", "topic": "", "history": "since_join", "archived": false, "last_seq": 0, "first_seq": 1, "read_seq": 0,
    "unread": 0, "mentions": 0, "role": "owner", "members_count": 2, "peer": null, "last_message": null}',
  'a room as its owner sees it');
select is(pg_temp.body(format('api_room(pg_temp.token(''carol''), %s)', :lobby)) @>
  '{"kind": "public", "role": null, "read_seq": null, "unread": null, "mentions": null, "receipts": null, "last_message": null}', true,
  'a public room as one sees it who is not in it');
select is(pg_temp.outcome(format('api_room(pg_temp.token(''carol''), %s)', :team)), 'CF004', 'a private room does not exist for others');
select is(pg_temp.outcome('api_room(pg_temp.token(''carol''), 0)'), 'CF004', 'a room that does not exist');

-- Roles. carol joins the public room by herself, and nobody else's.
select is(pg_temp.outcome(format('api_member_put(pg_temp.token(%L), %s, %s)', who, room, whom)), r, format('%s puts %s into %s: %s', who, whom, n, r))
  from (values (1, 'carol', :team, 'null', 'team', 'CF004'), (2, 'carol', :lobby, 'null', 'lobby', '201'), (3, 'carol', :lobby, 'null', 'lobby', '200'),
               (4, 'carol', :lobby, :'dave', 'lobby', 'CF003'), (5, 'bob', :team, :'dave', 'team', 'CF003'), (6, 'dave', :team, :'carol', 'team', 'CF004'),
               (7, 'alice', :team, :'dave', 'team', '201'), (8, 'alice', :team, :'dave', 'team', '200'), (9, 'alice', :team, '0', 'team', 'CF004'),
               (10, 'alice', :team, 'null', 'team', '200'), (11, 'alice', 0, 'null', 'nowhere', 'CF004'), (12, 'alice', 0, :'dave', 'nowhere', 'CF004')) v (o, who, room, whom, n, r);
select is(pg_temp.body(format('api_member_put(pg_temp.token(''alice''), %s, %s)', :team, :dave)) #- '{joined_at}',
  jsonb_build_object('user', jsonb_build_object('id', :dave, 'login', 'dave', 'display_name', 'Dave'), 'role', 'member', 'read_seq', 0),
  'who lets in sees the membership');
select is(pg_temp.body(format('api_member_put(pg_temp.token(''carol''), %s, null)', :lobby)) ->> 'name', 'Lobby', 'who joins sees the room');
reset role;
update chat.member set role = 'moderator' where room_id = :team and user_id = :bob;
insert into chat.member (room_id, user_id, role) values (:team, :carol, 'moderator');
set local role confab_worker;
select is(pg_temp.outcome(format('api_member_delete(pg_temp.token(%L), %s, %s)', who, room, whom)), r, format('%s removes %s: %s', who, whom, r))
  from (values (1, 'dave', :team, :'carol', 'CF003'), (2, 'dave', :team, :'alice', 'CF003'), (3, 'bob', :team, :'carol', 'CF003'),
               (4, 'bob', :team, :'alice', 'CF003'), (5, 'alice', :team, '0', 'CF004'), (6, 'bob', :team, :'dave', '204'), (7, 'bob', :team, :'dave', 'CF004'),
               (8, 'alice', :team, :'bob', '204'), (9, 'bob', :team, 'null', 'CF004'), (10, 'carol', :team, 'null', '204'),
               (11, 'dave', :lobby, 'null', 'CF003'), (12, 'dave', 0, 'null', 'CF004'), (13, 'alice', :team, 'null', '204')) v (o, who, room, whom, r);

-- Lists of members.
reset role;
insert into chat.member (room_id, user_id) select :lobby, pg_temp.person('m' || i) from generate_series(1, 5) i;
set local role confab_worker;
select is(pg_temp.pages(format('api_member_list(pg_temp.token(''carol''), %s, 3, %%s)', :lobby), 'after', 'user.login'),
  'alice carol m1 | m2 m3 m4 | m5', 'pages of members, by their links');
select is(pg_temp.outcome(format('api_member_list(pg_temp.token(''dave''), %s, 3, null)', :lobby)), 'CF003', 'for members only');
select is(pg_temp.outcome(format('api_member_list(pg_temp.token(''dave''), %s, 3, null)', :team)), 'CF004', 'others do not even see the room');

-- Archived rooms.
reset role;
update chat.room set archived_at = now() where id = :lobby;
set local role confab_worker;
select is(pg_temp.body(format('api_room(pg_temp.token(''carol''), %s)', :lobby)) -> 'archived', 'true', 'an archived room says so');
select is(pg_temp.outcome(format('api_member_put(pg_temp.token(''dave''), %s, null)', :lobby)), 'CF006', 'nobody joins it');
select is(pg_temp.outcome(format($$api_message_send(pg_temp.token('carol'), %s, 'x', null, null, null, null)$$, :lobby)), 'CF006', 'nobody writes to it');
select is(pg_temp.outcome(format('api_message_list(pg_temp.token(''carol''), %s, null, null, null, null)', :lobby)), '200', 'it can be read');
select is(pg_temp.outcome(format('api_member_delete(pg_temp.token(''carol''), %s, null)', :lobby)), '204', 'and left');

select finish();
rollback;
