create or replace function chat.api_user(p_token bytea, p_user_id bigint) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_viewer_id constant bigint := chat.session_user_id(p_token);
  v_body json;
begin
  select chat.person_json(p, v_viewer_id) into v_body from chat.person p where p.id = p_user_id;
  if not found then
    perform chat.fail('CF004', 'There is no such person.');
  end if;
  return chat.answered(200, v_body);
end
$$;
comment on function chat.api_user(bytea, bigint) is
  'GET /users/{id}: 200 user.';
