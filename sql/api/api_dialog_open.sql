create or replace function chat.api_dialog_open(p_token bytea, p_user_id bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_low constant bigint := least(v_me, p_user_id);
  v_high constant bigint := greatest(v_me, p_user_id);
  v_room_id bigint;
  v_status int := 200;
begin
  if p_user_id = v_me then
    perform chat.fail('CF007', 'A dialog needs somebody else.', 'user');
  end if;
  if not exists (select from chat.person where id = p_user_id) then
    perform chat.fail('CF004', 'There is no such person.');
  end if;
  select id into v_room_id from chat.room where dialog_low = v_low and dialog_high = v_high;
  if not found then
    -- Two who open it at once: the second waits here, and finds the first one's.
    insert into chat.room (kind, dialog_low, dialog_high, created_by)
    values ('dialog', v_low, v_high, v_me)
    on conflict (dialog_low, dialog_high) do nothing
    returning id into v_room_id;
    if found then
      v_status := 201;
      insert into chat.member (room_id, user_id)
      select v_room_id, u from unnest(array[v_low, v_high]) u;
    else
      select id into strict v_room_id from chat.room where dialog_low = v_low and dialog_high = v_high;
    end if;
  end if;
  return chat.answered(v_status, chat.room_json(v_room_id, v_me));
end
$$;
comment on function chat.api_dialog_open(bytea, bigint) is
  'PUT /dialogs/{user}: the one-to-one room with that person: 201 made, 200 found; answers the room.';
