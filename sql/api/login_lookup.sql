create or replace function chat.login_lookup(p_login text) returns table (user_id bigint, password_hash text)
language sql stable security definer set search_path = pg_catalog, pg_temp
as $$
  select id, password_hash from chat.person where login = lower(btrim(p_login)) and password_hash is not null
$$;
comment on function chat.login_lookup(text) is
  'POST /session, first step: whose login this is, and the hash to verify the password against. No row when there is none.';
