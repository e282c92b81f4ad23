-- Presence: leases say who is connected; what changes is told once, however many daemons there are.
--
-- The order of locks is: a person's presence, in ascending user_id; then his leases. Nobody waits for long: what is
-- locked is passed over and done at the next turn, since a transaction left open at a psql prompt may hold it.

create or replace function chat.lease_unsure() returns boolean
language sql stable
as $$
  select not exists (select from chat.lease_watch
                      where sure_at <= now() and pg_postmaster_start_time() <= now() - lease)
$$;
comment on function chat.lease_unsure() is
  'Whether a lease that is missing or has run out says nothing yet: a crash has taken them, or the database or all daemons were away, and whoever is connected has not been held again for sure.';

create or replace view chat.presence_now as
select p.user_id,
       p.online and (exists (select from chat.lease l where l.user_id = p.user_id and l.until > now())
                     or (select chat.lease_unsure())) as online,
       greatest(p.last_seen, (select max(l.seen_at) from chat.lease l where l.user_id = p.user_id)) as last_seen
  from chat.presence p;
comment on view chat.presence_now is 'Who is online at this moment, and when everybody else was last seen. People who never were have no row.';

create or replace function chat.presence_tell(p_type text, p_users bigint[]) returns void
language plpgsql
as $$
declare
  v_rooms constant bigint[] := array(select distinct room_id from chat.member where user_id = any (p_users));
  v_small constant bigint[] := array(select room from unnest(v_rooms) room where chat.told_to_all(room));
begin
  perform chat.signal_send(p_type, p.user_id, a.rooms,
            (select row_to_json(x) from (select p.user_id as "user", chat.rfc3339(p.last_seen) as last_seen) x))
     from (select user_id, array_agg(room_id order by room_id) as rooms
             from chat.member
            where user_id = any (p_users) and room_id = any (v_small)
            group by user_id) a
     join chat.presence p on p.user_id = a.user_id;
end
$$;
comment on function chat.presence_tell(text, bigint[]) is
  'Tells those who share a room with these people, if it is not too large, that they came (presence.online) or went (presence.offline).';

create or replace function chat.presence_begin(p_holder text, p_users bigint[], p_seconds int) returns bigint[]
language plpgsql
as $$
declare
  v_free bigint[];
  v_locked bigint[];
  v_own bigint[];
  v_came bigint[];
begin
  insert into chat.lease_watch (lease, swept_at, sure_at)
  values (make_interval(secs => p_seconds), now(), now() + make_interval(secs => p_seconds))
  on conflict do nothing;
  -- The references to a person would wait for whoever has him locked.
  v_free := array(select id from chat.person where id = any (p_users) order by id for key share skip locked);
  insert into chat.presence (user_id)
  select u from unnest(v_free) u
   where not exists (select from chat.presence where user_id = u)
  on conflict do nothing;
  v_locked := array(select user_id from chat.presence where user_id = any (v_free)
                     order by user_id for no key update skip locked);
  -- So would the insert for whoever has the lease that ran out.
  v_own := array(select user_id from chat.lease where user_id = any (v_locked) and holder = p_holder for no key update skip locked);
  v_locked := array(select u from unnest(v_locked) u
                     where u = any (v_own) or not exists (select from chat.lease where user_id = u and holder = p_holder));
  -- A later statement than the lock's: it sees what whoever had it before has done.
  v_came := array(select user_id from chat.presence_now where user_id = any (v_locked) and not online);
  insert into chat.lease (user_id, holder, until, seen_at)
  select u, p_holder, now() + make_interval(secs => p_seconds), now() from unnest(v_locked) u
  on conflict (user_id, holder) do update set until = excluded.until, seen_at = excluded.seen_at;
  if v_came <> '{}' then
    update chat.presence set online = true, last_seen = now() where user_id = any (v_came);
    perform chat.presence_tell('presence.online', v_came);
  end if;
  return v_locked;
end
$$;
comment on function chat.presence_begin(text, bigint[], int) is
  'Gives people a lease that they do not have, and tells who is online by it and was not. Returns whom; whoever is locked by somebody is passed over.';

create or replace function chat.presence_hold(p_holder text, p_users bigint[], p_seconds int) returns bigint[]
language plpgsql
as $$
declare
  v_held bigint[];
  v_rest bigint[];
begin
  perform chat.commit_async();
  -- What lives is renewed without the person's lock: a sweep deletes nothing that lives.
  with living as (
    select user_id, holder from chat.lease
     where holder = p_holder and user_id = any (p_users) and until > now()
       for no key update skip locked
  ), renewed as (
    update chat.lease l
       set until = now() + make_interval(secs => p_seconds), seen_at = now()
      from living
     where l.user_id = living.user_id and l.holder = living.holder
    returning l.user_id
  )
  select coalesce(array_agg(user_id), '{}') into v_held from renewed;
  v_rest := array(select unnest(p_users) except select unnest(v_held));
  if v_rest = '{}' then
    return v_held;
  end if;
  return v_held || chat.presence_begin(p_holder, v_rest, p_seconds);
end
$$;
comment on function chat.presence_hold(text, bigint[], int) is
  'Renews people''s leases, or gives them one. Returns whom; whoever is locked by somebody is passed over and wants to be held again soon.';

create or replace function chat.feed_presence_hold(p_daemon text, p_users bigint[], p_seconds int) returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select unnest(p_users) except select unnest(chat.presence_hold(p_daemon, p_users, p_seconds));
end
$$;
comment on function chat.feed_presence_hold(text, bigint[], int) is
  'These people are connected to this daemon, for so many seconds. To be repeated well before they are over. Returns those who could not be held now.';

create or replace function chat.feed_presence_release(p_daemon text, p_users bigint[], p_seconds int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.commit_async();
  with living as (
    select user_id, holder from chat.lease
     where holder = p_daemon and user_id = any (p_users) and until > now()
       for no key update skip locked
  )
  update chat.lease l
     set until = now() + make_interval(secs => p_seconds), seen_at = now()
    from living
   where l.user_id = living.user_id and l.holder = living.holder;
end
$$;
comment on function chat.feed_presence_release(text, bigint[], int) is
  'These people have left this daemon: their leases run out after so many seconds, in which they may come back.';

create or replace function chat.presence_end(p_limit int) returns int
language plpgsql
as $$
declare
  v_users bigint[];
  v_gone bigint[];
  v_seen timestamptz[];
  v_ended bigint[];
begin
  v_users := array(select user_id from chat.presence p
                    where online
                      and not exists (select from chat.lease l where l.user_id = p.user_id and l.until > now())
                    limit p_limit for no key update skip locked);
  if v_users = '{}' then
    return 0;
  end if;
  with gone as (
    delete from chat.lease
     where (user_id, holder) in (select user_id, holder from chat.lease
                                  where user_id = any (v_users) and until <= now()
                                    for update skip locked)
    returning user_id, seen_at
  )
  select array_agg(user_id), array_agg(seen_at) into v_gone, v_seen
    from (select user_id, max(seen_at) as seen_at from gone group by user_id) g;
  -- A lease that is still there is being renewed.
  with ended as (
    update chat.presence p
       set online = false, last_seen = greatest(p.last_seen, coalesce(g.seen_at, w.sure_at - w.lease))
      from unnest(v_users) u (user_id)
      left join unnest(v_gone, v_seen) g (user_id, seen_at) on g.user_id = u.user_id
     cross join chat.lease_watch w
     where p.user_id = u.user_id and not exists (select from chat.lease l where l.user_id = p.user_id)
    returning p.user_id
  )
  select coalesce(array_agg(user_id), '{}') into v_ended from ended;
  perform chat.presence_tell('presence.offline', v_ended);
  return cardinality(v_users);
end
$$;
comment on function chat.presence_end(int) is
  'Up to so many of those whose last lease has run out are offline from now on, and it is told. Returns how many were looked at.';

create or replace function chat.feed_presence_sweep(p_seconds int) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_limit constant int := 500;
  -- All daemons sweep every few seconds: after such a pause they have been away, or the database has.
  c_pause constant interval := '15 s';
  -- Many who went at once are told of one portion after the other.
  c_rest constant interval := '400 ms';
  c_lease constant interval := make_interval(secs => p_seconds);
begin
  perform chat.commit_async();
  insert into chat.lease_watch (lease, swept_at, sure_at) values (c_lease, now(), now() + c_lease) on conflict do nothing;
  perform from chat.lease_watch where swept_at <= now() - c_rest for no key update skip locked;
  if not found then
    return false;
  end if;
  update chat.lease_watch
     set lease = c_lease, swept_at = now(),
         sure_at = case when swept_at < now() - c_pause then now() + c_lease else sure_at end;
  if chat.lease_unsure() then
    return false;
  end if;
  delete from chat.lease
   where (user_id, holder) in (select user_id, holder from chat.lease
                                where until < now() - interval '1 hour' for update skip locked);
  return chat.presence_end(c_limit) = c_limit;
end
$$;
comment on function chat.feed_presence_sweep(int) is
  'Finds who went: to be called every few seconds, with the length of a lease, by every daemon; one at a time does it. True: there are more. After a pause of all daemons it waits for a lease''s length, so that everybody can be held again.';

create or replace function chat.presence_json(p_presence chat.presence_now) returns json
language sql stable
as $$
  select row_to_json(x)
    from (select p_presence.user_id as "user", p_presence.online, chat.rfc3339(p_presence.last_seen) as last_seen) x
$$;
comment on function chat.presence_json(chat.presence_now) is 'Whether a person is online, and when he was last seen.';

create or replace function chat.presence_around(p_user_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select coalesce(json_agg(chat.presence_json(n) order by n.user_id), '[]')
      from chat.presence_now n
     where n.user_id in (select o.user_id
                           from chat.member m join chat.member o on o.room_id = m.room_id
                          where m.user_id = p_user_id and o.user_id <> p_user_id and chat.told_to_all(m.room_id)));
end
$$;
comment on function chat.presence_around(bigint) is
  'The presence of all whose coming and going this person is told; without those who never were online.';
