create or replace function chat.api_health() returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_is_in_recovery() then
    raise exception using errcode = 'read_only_sql_transaction', message = 'standby';
  end if;
  return chat.answered(200, '{"status":"ok"}');
end
$$;
comment on function chat.api_health() is
  'GET /health: 200 {status} when the database can be reached and written to.';
