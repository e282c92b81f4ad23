create or replace function chat.api_read(p_token bytea, p_room_id bigint, p_seq bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return chat.receipt_answer(chat.session_user_id(p_token), p_room_id, 'read', p_seq);
end
$$;
comment on function chat.api_read(bytea, bigint, bigint) is
  'PUT /rooms/{room}/read {seq}: marks read up to seq; marks only grow and never pass the newest message. 200 {room, read_seq, delivered_seq, last_seq, unread}.';
