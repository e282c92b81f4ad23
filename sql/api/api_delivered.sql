create or replace function chat.api_delivered(p_token bytea, p_room_id bigint, p_seq bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  return chat.receipt_answer(chat.session_user_id(p_token), p_room_id, 'delivered', p_seq);
end
$$;
comment on function chat.api_delivered(bytea, bigint, bigint) is
  'PUT /rooms/{room}/delivered {seq}: messages up to seq came to a device; nothing is kept in rooms of more than 20 members. 200 as chat.api_read.';
