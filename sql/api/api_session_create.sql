create or replace function chat.api_session_create(
  p_user_id bigint, p_password_hash text, p_new_hash text, p_token bytea, p_session_days int, p_agent text) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update chat.person
     set password_hash = coalesce(p_new_hash, password_hash)
   where id = p_user_id and password_hash = p_password_hash and p_new_hash is not null;
  if not found and not exists (select from chat.person where id = p_user_id and password_hash = p_password_hash) then
    perform chat.fail('CF002', 'Wrong login or password.');
  end if;
  return chat.session_start(p_user_id, p_token, p_session_days, p_agent);
end
$$;
comment on function chat.api_session_create(bigint, text, text, bytea, int, text) is
  'POST /session, second step, after the password was verified against p_password_hash. 201 {user, session}. p_new_hash (or null) replaces the hash when its cost is out of date. CF002 when the password was changed in between.';
