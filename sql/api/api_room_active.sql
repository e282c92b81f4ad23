create or replace function chat.api_room_active(p_token bytea, p_room_id bigint, p_limit int, p_after bigint) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_limit constant int := chat.page_limit(p_limit);
  v_items json;
  v_count int;
  v_next bigint;
begin
  perform chat.room_member(p_room_id, v_me);
  with page as (
    select m.user_id, row_number() over (order by m.user_id) as nth
      from chat.member m join chat.presence_now n on n.user_id = m.user_id
     where m.room_id = p_room_id and m.user_id > coalesce(p_after, 0) and n.online
     order by m.user_id
     limit v_limit + 1
  )
  select json_agg(chat.person_json(p, v_me) order by g.nth) filter (where g.nth <= v_limit),
         count(*), max(g.user_id) filter (where g.nth = v_limit)
    into v_items, v_count, v_next
    from page g join chat.person p on p.id = g.user_id;
  return chat.answered_page(v_items, v_count > v_limit, format('?limit=%s&after=%s', v_limit, v_next));
end
$$;
comment on function chat.api_room_active(bytea, bigint, int, bigint) is
  'GET /rooms/{room}/active?limit=&after=: who of the room is online, for members. 200 {items: [user], has_more}.';
