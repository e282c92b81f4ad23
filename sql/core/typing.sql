-- Typing: told to the room, throttled, and over by itself.

create or replace function chat.typing_due(p_room_id bigint, p_user_id bigint, p_state text) returns boolean
language plpgsql
as $$
declare
  c_again constant interval := '3 s';
  c_after_stop constant interval := '1 s';
begin
  insert into chat.typing as t (room_id, user_id, state, started_at)
  select p_room_id, p_user_id, p_state, now()
   where p_state = 'start' or exists (select from chat.typing where room_id = p_room_id and user_id = p_user_id)
  on conflict (room_id, user_id) do update
     set state = excluded.state,
         started_at = case excluded.state when 'start' then now() else t.started_at end
   where case when excluded.state = 'stop' then t.state = 'start'
              else t.started_at <= now() - case t.state when 'start' then c_again else c_after_stop end end;
  return found;
end
$$;
comment on function chat.typing_due(bigint, bigint, text) is
  'Whether a member''s start or stop is to be told, and notes it: a start not within 3 s of the one before, nor within 1 s if that was stopped; a stop only after a start.';

create or replace function chat.typing_tell(p_room_id bigint, p_user_id bigint, p_state text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- A client that goes on says so again before this is over.
  c_expires_s constant int := 6;
begin
  perform chat.fail_fields('state', case when p_state in ('start', 'stop') then null else 'State is start or stop.' end);
  perform chat.room_member(p_room_id, p_user_id);
  perform chat.commit_async();
  -- A removal waits for this lock, so that its commit comes after the signal's. One that came first is not waited for.
  perform from chat.member where room_id = p_room_id and user_id = p_user_id for key share skip locked;
  if found and chat.told_to_all(p_room_id) and chat.typing_due(p_room_id, p_user_id, p_state) then
    perform chat.signal_send('typing.' || p_state, p_user_id, array[p_room_id],
      (select row_to_json(x)
         from (select p_room_id as room, chat.person_brief(p_user_id) as "user",
                      case p_state when 'start' then c_expires_s else 0 end as expires_in) x));
  end if;
end
$$;
comment on function chat.typing_tell(bigint, bigint, text) is
  'A member starts or stops typing: tells the room (typing.start, typing.stop), unless it was told just now, or the room is too large for it. CF003 or CF004 for a non-member.';

create or replace function chat.feed_typing(p_ord int[], p_session bigint[], p_room bigint[], p_state text[])
returns table (ord int, code text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_ask record;
begin
  for v_ask in
    select a.ord, s.user_id, a.room_id, a.state
      from unnest(p_ord, p_session, p_room, p_state) a (ord, session_id, room_id, state)
      left join chat.session s on s.id = a.session_id and s.expires_at > now()
     order by a.ord
  loop
    ord := v_ask.ord;
    code := case when v_ask.user_id is null then 'unauthenticated' end;
    if code is null then
      begin
        perform chat.typing_tell(v_ask.room_id, v_ask.user_id, v_ask.state);
      exception
        when sqlstate 'CF003' then code := 'forbidden';
        when sqlstate 'CF004' then code := 'not_found';
        when sqlstate 'CF007' then code := 'invalid';
      end;
    end if;
    return next;
  end loop;
end
$$;
comment on function chat.feed_typing(int[], bigint[], bigint[], text[]) is
  'typing_tell for many sessions at once: each a session''s id, a room and a state. A row for each, with its ord: code null, or unauthenticated, forbidden, not_found or invalid. One that fails fails alone.';
