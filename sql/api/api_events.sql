create or replace function chat.api_events(p_token bytea, p_after text, p_rooms bigint[]) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_limit constant int := 1000;
  c_limit_bytes constant int := 1048576;
  c_within_s constant int := 5;
  v_me constant bigint := chat.session_user_id(p_token);
  v_filter constant text := chat.cursor_filter(p_rooms);
  v_cursor constant text := chat.cursor_now() || coalesce('~' || v_filter, '');
  v_reset text := chat.cursor_refusal(p_after, v_filter);
  v_missed chat.event[];
  v_events json;
begin
  if cardinality(p_rooms) > 100 then
    perform chat.fail('CF007', 'A filter has at most 100 rooms.', 'rooms');
  end if;
  if p_after is not null and v_reset is null then
    v_missed := chat.event_missed(v_me, chat.cursor_snapshot(p_after), p_rooms, c_limit);
    if v_missed is null or (select sum(octet_length(e.data)) from unnest(v_missed) e) > c_limit_bytes then
      v_reset := 'limit';
    end if;
  end if;
  if p_after is not null and v_reset is not null then
    v_events := json_build_array(json_build_object(
      'type', 'reset', 'data', json_build_object('reason', v_reset, 'within', c_within_s)));
  else
    select json_agg(json_build_object('type', e.type, 'eid', e.id, 'data', e.data::json) order by e.id)
      into v_events
      from unnest(v_missed) e;
  end if;
  return chat.answered(200, json_build_object(
    'events', coalesce(v_events, '[]'),
    'cursor', v_cursor,
    'interval_ms', coalesce(nullif(current_setting('chat.poll_interval_ms', true), ''), '3000')::int));
end
$$;
comment on function chat.api_events(bytea, text, bigint[]) is
  'GET /events?after=&rooms=: polling. 200 {events: [{type, eid, data}], cursor, interval_ms}: what the cursor does not cover and the caller may see, and the cursor to go on from; without after only the cursor. With rooms only what is of these, or about the caller himself. When the cursor cannot be continued (it was made under another filter), or over 1,000 events or a MiB of them were missed, the one event is reset {reason, within}.';

create or replace function chat.api_events(p_token bytea, p_after text) returns chat.answer
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select chat.api_events(p_token, p_after, null)
$$;
comment on function chat.api_events(bytea, text) is 'The same without a filter, as workers of releases before 0006 call it.';
