create or replace function chat.api_register(
  p_login text, p_password_hash text, p_display_name text, p_token bytea, p_session_days int, p_agent text) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id bigint;
begin
  insert into chat.person (login, display_name, password_hash)
  values (p_login, p_display_name, p_password_hash)
  on conflict (login) do nothing
  returning id into v_user_id;
  if not found then
    perform chat.fail('CF005', 'This login is taken.', 'login');
  end if;
  return chat.session_start(v_user_id, p_token, p_session_days, p_agent);
end
$$;
comment on function chat.api_register(text, text, text, bytea, int, text) is
  'POST /users: makes a person and logs him in. 201 {user, session}. CF005 login taken, CF007 login or display_name.';
