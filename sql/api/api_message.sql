create or replace function chat.api_message(p_token bytea, p_room_id bigint, p_seq bigint) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_member constant chat.member := chat.room_member(p_room_id, v_me);
  v_body json;
begin
  select chat.message_json(m) into v_body
    from chat.message m join chat.room r on r.id = m.room_id
   where m.room_id = p_room_id and m.seq = p_seq and chat.history_shows(r, v_member, m.seq);
  if not found then
    perform chat.fail('CF004', 'There is no such message.');
  end if;
  return chat.answered(200, v_body);
end
$$;
comment on function chat.api_message(bytea, bigint, bigint) is
  'GET /rooms/{room}/messages/{seq}: 200 message.';
