-- Sessions.

create or replace function chat.session_user_id(p_token bytea) returns bigint
language plpgsql stable
as $$
declare
  v_user_id bigint;
begin
  select user_id into v_user_id from chat.session where token_hash = p_token and expires_at > now();
  if not found then
    perform chat.fail('CF001', 'Please log in.');
  end if;
  return v_user_id;
end
$$;
comment on function chat.session_user_id(bytea) is 'Whose live session this token hash is; CF001 when it is none (or null).';

create or replace function chat.session_json(p_session chat.session) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select p_session.id,
                   -- as token_has_print of the programs checks it
                   encode(substr(p_session.token_hash, 1, 8), 'hex') as fingerprint,
                   chat.rfc3339(p_session.created_at) as created_at,
                   chat.rfc3339(p_session.expires_at) as expires_at) x);
end
$$;
comment on function chat.session_json(chat.session) is 'A session as its owner sees it.';

create or replace function chat.session_start(p_user_id bigint, p_token bytea, p_session_days int, p_agent text)
returns chat.answer
language plpgsql
as $$
declare
  v_session chat.session;
begin
  -- Nothing else removes what ran out by itself.
  delete from chat.session where user_id = p_user_id and expires_at <= now();
  insert into chat.session (user_id, token_hash, agent, expires_at)
  values (p_user_id, p_token, left(coalesce(p_agent, ''), 200), now() + make_interval(days => p_session_days))
  returning * into v_session;
  return chat.answered(201, (select row_to_json(x)
                     from (select chat.person_json(p, p.id) as "user", chat.session_json(v_session) as session
                             from chat.person p where p.id = p_user_id) x));
end
$$;
comment on function chat.session_start(bigint, bytea, int, text) is 'Opens a session and answers {user, session}; deletes those of this person that have expired.';

create or replace function chat.session_tell_end() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into chat.event (user_id, type, data)
  select r.user_id, 'session.end', row_to_json(x)::text
    from removed r, lateral (select r.id as session) x
   order by r.id;
  return null;
end
$$;
comment on function chat.session_tell_end() is
  'Tells the person''s devices (session.end); the push daemons then close the streams of what has ended.';

create or replace trigger session_tell_end after delete on chat.session
  referencing old table as removed for each statement execute function chat.session_tell_end();

create or replace function chat.session_tell_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  insert into chat.event (user_id, type, data)
  select new.user_id, 'session.end', row_to_json(x)::text
    from (select new.id as session) x;
  return null;
end
$$;
comment on function chat.session_tell_change() is
  'The same for a session that is ended by an UPDATE: made to expire now, or given another token.';

create or replace trigger session_tell_change after update of expires_at, token_hash on chat.session
  for each row when (new.expires_at <= clock_timestamp() or new.token_hash <> old.token_hash)
  execute function chat.session_tell_change();
