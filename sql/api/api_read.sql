create or replace function chat.api_read(p_token bytea, p_room_id bigint, p_seq bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_read_seq bigint;
begin
  if p_seq is null then
    perform chat.fail('CF007', 'Say up to which message.', 'seq');
  end if;
  v_read_seq := chat.member_read(p_room_id, v_me, p_seq);
  perform chat.room_member(p_room_id, v_me);
  return chat.answered(200, (select row_to_json(x)
                     from (select p_room_id as room, v_read_seq as read_seq, c.last_seq, c.last_seq - v_read_seq as unread
                             from chat.room_counter c where c.room_id = p_room_id) x));
end
$$;
comment on function chat.api_read(bytea, bigint, bigint) is
  'PUT /rooms/{room}/read {seq}: marks read up to seq; marks only grow and never pass the newest message. 200 {room, read_seq, last_seq, unread}.';
