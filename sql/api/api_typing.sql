create or replace function chat.api_typing(p_token bytea, p_room_id bigint, p_state text) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.typing_tell(p_room_id, chat.session_user_id(p_token), p_state);
  return chat.answered(204, null);
end
$$;
comment on function chat.api_typing(bytea, bigint, text) is
  'PUT /rooms/{room}/typing {state: start|stop}: tells the room, if it was not told just now. 204.';
