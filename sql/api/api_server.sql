create or replace function chat.api_server() returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return chat.answered(200, json_build_object(
    'name', 'confab', 'api', 1,
    'transports', json_build_array('sse', 'websocket', 'poll'),
    'limits', json_build_object('body_chars', 10000, 'page', 200, 'poll_events', 1000)));
end
$$;
comment on function chat.api_server() is
  'GET /server: 200 {name, api, transports, limits}.';
