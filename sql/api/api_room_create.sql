create or replace function chat.api_room_create(
  p_token bytea, p_kind text, p_name text, p_topic text, p_history text, p_members bigint[]) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_members constant bigint[] := array(select distinct u from unnest(p_members) u where u <> v_me);
  v_room_id bigint;
begin
  if p_kind is null or p_kind not in ('private', 'public') then
    perform chat.fail('CF007', 'A room is private or public.', 'kind');
  end if;
  if p_history is not null and p_history not in ('all', 'since_join') then
    perform chat.fail('CF007', 'History is all or since_join.', 'history');
  end if;
  if p_name is null then
    perform chat.fail('CF007', 'A room needs a name.', 'name');
  end if;
  if cardinality(v_members) > 100 then
    perform chat.fail('CF007', 'A room begins with at most 100 members besides you.', 'members');
  end if;
  if (select count(*) from chat.person where id = any (v_members)) < cardinality(v_members) then
    perform chat.fail('CF007', 'There is no such person.', 'members');
  end if;
  insert into chat.room (kind, name, topic, history, created_by)
  values (p_kind, p_name, coalesce(p_topic, ''),
          coalesce(p_history, case p_kind when 'public' then 'all' else 'since_join' end), v_me)
  returning id into v_room_id;
  insert into chat.member (room_id, user_id, role)
  select v_room_id, u, case when u = v_me then 'owner' else 'member' end
    from unnest(v_me || v_members) u;
  return chat.answered(201, chat.room_json(v_room_id, v_me));
end
$$;
comment on function chat.api_room_create(bytea, text, text, text, text, bigint[]) is
  'POST /rooms: a private or public room, with me as owner. History is since_join by default in private rooms, all in public ones. 201 room.';
