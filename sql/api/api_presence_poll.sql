create or replace function chat.api_presence_poll(p_token bytea, p_seconds int) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_holder constant text := 'poll';
  v_me constant bigint := chat.session_user_id(p_token);
begin
  if not exists (select from chat.lease
                  where user_id = v_me and holder = c_holder and until > now() + make_interval(secs => p_seconds * 2 / 3.0)) then
    perform chat.presence_hold(c_holder, array[v_me], p_seconds);
  end if;
  return chat.answered(204, null);
end
$$;
comment on function chat.api_presence_poll(bytea, int) is
  'Who polls is online, for so many seconds. Writes only when a third of that is over. After GET /events, which may not write. 204.';
