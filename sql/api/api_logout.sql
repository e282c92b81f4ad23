create or replace function chat.api_logout(p_token bytea) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.session_user_id(p_token);
  delete from chat.session where token_hash = p_token;
  return chat.answered(204, null);
end
$$;
comment on function chat.api_logout(bytea) is
  'DELETE /session: ends it, and closes its streams. 204.';
