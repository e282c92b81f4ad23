create or replace function chat.api_stream_ticket(p_token bytea, p_ticket bytea) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_seconds constant int := 30;
  c_tickets constant int := 20;
  v_session_id bigint;
  v_count int;
  v_first_expires_at timestamptz;
begin
  -- A session's requests take turns, or the count could be passed.
  select id into v_session_id from chat.session where token_hash = p_token for no key update;
  perform chat.session_user_id(p_token);
  delete from chat.stream_ticket where session_id = v_session_id and expires_at <= now();
  select count(*), min(expires_at) into v_count, v_first_expires_at from chat.stream_ticket where session_id = v_session_id;
  if v_count >= c_tickets then
    perform chat.fail_later('Too many tickets of this session are unused.', v_first_expires_at);
  end if;
  insert into chat.stream_ticket (ticket_hash, session_id, expires_at)
  values (p_ticket, v_session_id, now() + make_interval(secs => c_seconds));
  return chat.answered(201, json_build_object('expires_in', c_seconds));
end
$$;
comment on function chat.api_stream_ticket(bytea, bytea) is
  'POST /stream-tickets: keeps the hash of a new ticket, good for one stream within 30 seconds. 201 {expires_in}; CF009 while 20 of this session are unused.';
