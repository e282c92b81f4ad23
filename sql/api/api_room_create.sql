create or replace function chat.api_room_create(
  p_token bytea, p_kind text, p_name text, p_topic text, p_history text, p_members bigint[]) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_members constant bigint[] := array(select distinct u from unnest(p_members) u where u <> v_me);
  v_room_id bigint;
begin
  perform chat.fail_fields(
    'kind', chat.complaint('kind', p_kind),
    'name', chat.complaint('name', p_name),
    'topic', chat.complaint('topic', coalesce(p_topic, '')),
    'history', chat.complaint('history', coalesce(p_history, 'all')),
    'members', case
      when cardinality(v_members) > 100 then 'A room begins with at most 100 members besides you.'
      when (select count(*) from chat.person where id = any (v_members)) < cardinality(v_members)
        then 'There is no such person.' end);
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
