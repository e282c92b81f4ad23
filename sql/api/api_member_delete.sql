create or replace function chat.api_member_delete(p_token bytea, p_room_id bigint, p_user_id bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_user_id constant bigint := coalesce(p_user_id, v_me);
  v_role text;
  v_their_role text;
begin
  perform chat.room_lock(p_room_id);
  v_role := (chat.room_member(p_room_id, v_me)).role;
  if exists (select from chat.room where id = p_room_id and kind = 'dialog') then
    perform chat.fail('CF006', 'A dialog cannot be left.');
  end if;
  if v_user_id <> v_me then
    select role into v_their_role from chat.member where room_id = p_room_id and user_id = v_user_id;
    if not found then
      perform chat.fail('CF004', 'That person is not in this room.');
    end if;
    if v_role = 'member' or v_their_role = 'owner' or v_role = v_their_role then
      perform chat.fail('CF003', 'You may not remove this person.');
    end if;
  end if;
  delete from chat.member where room_id = p_room_id and user_id = v_user_id;
  return chat.answered(204, null);
end
$$;
comment on function chat.api_member_delete(bytea, bigint, bigint) is
  'DELETE /rooms/{room}/members/{user|me} (null: me): leave, or remove somebody of a lower role. 204.';
