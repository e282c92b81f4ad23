create or replace function chat.api_me(p_token bytea) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id constant bigint := chat.session_user_id(p_token);
begin
  return chat.answered(200, (select chat.person_json(p, p.id) from chat.person p where p.id = v_user_id));
end
$$;
comment on function chat.api_me(bytea) is
  'GET /me: 200 user.';
