create or replace function chat.api_unread(p_token bytea) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
begin
  return chat.answered(200, chat.unread_json(v_me));
end
$$;
comment on function chat.api_unread(bytea) is
  'GET /unread: 200 {total, rooms: [{room, unread}]}, rooms with unread messages only.';
