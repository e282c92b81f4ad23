create or replace function chat.api_member_put(p_token bytea, p_room_id bigint, p_user_id bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_user_id constant bigint := coalesce(p_user_id, v_me);
  v_room record;
  v_status int := 200;
begin
  perform chat.room_lock(p_room_id);
  select kind, archived_at, dialog_low, dialog_high into v_room from chat.room where id = p_room_id;
  if v_user_id <> v_me then
    if (chat.room_member(p_room_id, v_me)).role = 'member' then
      perform chat.fail('CF003', 'Only owners and moderators let people in.');
    end if;
  elsif v_room.kind is distinct from 'public' then
    perform chat.room_member(p_room_id, v_me);
  end if;
  if v_room.kind = 'dialog' and v_user_id not in (v_room.dialog_low, v_room.dialog_high) then
    perform chat.fail('CF006', 'A dialog has two people and takes no third.');
  end if;
  if v_room.archived_at is not null then
    perform chat.fail('CF006', 'This room is archived.');
  end if;
  if not exists (select from chat.person where id = v_user_id) then
    perform chat.fail('CF004', 'There is no such person.');
  end if;
  if not exists (select from chat.member where room_id = p_room_id and user_id = v_user_id) then
    insert into chat.member (room_id, user_id) values (p_room_id, v_user_id);
    v_status := 201;
  end if;
  return chat.answered(v_status, case when v_user_id = v_me
    then chat.room_json(p_room_id, v_me) else chat.member_json(p_room_id, v_user_id, v_me) end);
end
$$;
comment on function chat.api_member_put(bytea, bigint, bigint) is
  'PUT /rooms/{room}/members/{user|me} (null: me): join a public room, or let somebody in as its owner or moderator. 201 new, 200 already in; answers the room to the one who joins, else the membership.';
