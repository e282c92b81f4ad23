-- What the push daemon reads. All of it STABLE: in one repeatable-read transaction the events, the
-- sessions with their memberships and the replays are of one snapshot, and fit together exactly.

create or replace function chat.feed_read(p_cursor text)
returns table (id bigint, xid text, room_id bigint, user_id bigint, type text, data text, cursor text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant text := chat.cursor_now();
  v_from pg_snapshot;
  v_refusal text;
begin
  if p_cursor is not null then
    v_refusal := chat.cursor_refusal(p_cursor);
    if v_refusal is not null then
      return query select null::bigint, null, null::bigint, null::bigint, 'reset', v_refusal, v_now;
      return;
    end if;
    v_from := chat.cursor_snapshot(p_cursor);
    return query
      select e.id, e.xid::text, e.room_id, e.user_id, e.type, e.data, null
        from chat.event_after(v_from, null) e
       order by e.id;
  end if;
  return query select null::bigint, null, null::bigint, null::bigint, null, null, v_now;
end
$$;
comment on function chat.feed_read(text) is
  'All events that the cursor does not cover, by id, and a last row with id null and the next cursor. Cursor null: only that row. When the cursor cannot be continued the one row has type reset and the reason (expired, epoch) as data. Raises CF010 when epoch_begin() is due.';

create or replace function chat.feed_sessions(p_ord int[], p_token bytea[])
returns table (ord int, session_id bigint, user_id bigint, expires_in int, rooms bigint[], sinces bigint[])
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select t.ord, s.id, s.user_id,
         least(extract(epoch from s.expires_at - now()), 2147483647)::int,
         coalesce(m.rooms, '{}'), coalesce(m.sinces, '{}')
    from unnest(p_ord, p_token) t (ord, token)
    join chat.session s on s.token_hash = t.token and s.expires_at > now()
    left join lateral (select array_agg(m.room_id order by m.room_id) as rooms,
                              array_agg(m.since order by m.room_id) as sinces
                         from chat.member m where m.user_id = s.user_id) m on true
$$;
comment on function chat.feed_sessions(int[], bytea[]) is
  'The live sessions among many token hashes, each with its ord, its seconds left and its person''s memberships: rooms and, in the same places, the event ids they began at. No row for a token that is none.';

create or replace function chat.feed_replay(p_ord int[], p_token bytea[], p_cursor text[], p_limit int)
returns table (ord int, reset text, id bigint, xid text, room_id bigint, user_id bigint, type text, data text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_ask record;
  v_reset text;
  v_events chat.event[];
begin
  for v_ask in
    select t.ord, s.user_id, t.cursor
      from unnest(p_ord, p_token, p_cursor) t (ord, token, cursor)
      join chat.session s on s.token_hash = t.token and s.expires_at > now()
     order by t.ord
  loop
    v_reset := chat.cursor_refusal(v_ask.cursor);
    if v_reset is null then
      v_events := chat.event_missed(v_ask.user_id, chat.cursor_snapshot(v_ask.cursor), null, p_limit);
      if v_events is null then
        v_reset := 'limit';
      end if;
    end if;
    if v_reset is not null then
      return query select v_ask.ord, v_reset, null::bigint, null, null::bigint, null::bigint, null, null;
    else
      return query
        select v_ask.ord, null, e.id, e.xid::text, e.room_id, e.user_id, e.type, e.data
          from unnest(v_events) e;
    end if;
  end loop;
end
$$;
comment on function chat.feed_replay(int[], bytea[], text[], int) is
  'For many sessions at once: the events after each one''s cursor that its person may see, by ord and id; or one row with reset (expired, epoch, or limit when there are more than p_limit).';

create or replace function chat.feed_backfill(p_cursor text, p_limit int)
returns table (id bigint, xid text, room_id bigint, user_id bigint, type text, data text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_events chat.event[];
begin
  if chat.cursor_refusal(p_cursor) is null then
    v_events := chat.event_missed(null, chat.cursor_snapshot(p_cursor), null, p_limit);
    if v_events is not null then
      return query
        select e.id, e.xid::text, e.room_id, e.user_id, e.type, e.data from unnest(v_events) e
        union all
        select null::bigint, null, null::bigint, null::bigint, null, null;
    end if;
  end if;
end
$$;
comment on function chat.feed_backfill(text, int) is
  'All events that the cursor does not cover, by id, and a last row with id null: what many who come back can be served from. No row at all when the cursor cannot be continued, or over p_limit events follow it.';
