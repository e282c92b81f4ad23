create or replace function chat.api_room(p_token bytea, p_room_id bigint) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
begin
  if not exists (select from chat.room where id = p_room_id and kind = 'public') then
    perform chat.room_member(p_room_id, v_me);
  end if;
  return chat.answered(200, chat.room_json(p_room_id, v_me));
end
$$;
comment on function chat.api_room(bytea, bigint) is
  'GET /rooms/{room}: a room one is in, or a public one. 200 room.';
