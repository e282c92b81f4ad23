create or replace function chat.api_session(p_token bytea) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.session_user_id(p_token);
  return chat.answered(200, (select row_to_json(x)
                     from (select chat.person_json(p, p.id) as "user", chat.session_json(s) as session
                             from chat.session s join chat.person p on p.id = s.user_id
                            where s.token_hash = p_token) x));
end
$$;
comment on function chat.api_session(bytea) is
  'GET /session: 200 {user, session}.';
