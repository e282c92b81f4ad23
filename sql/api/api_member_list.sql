create or replace function chat.api_member_list(p_token bytea, p_room_id bigint, p_limit int, p_after bigint) returns chat.answer
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
      from chat.member m
     where m.room_id = p_room_id and m.user_id > coalesce(p_after, 0)
     order by m.user_id
     limit v_limit + 1
  )
  select json_agg(chat.member_json(p_room_id, user_id, v_me) order by nth) filter (where nth <= v_limit),
         count(*), max(user_id) filter (where nth = v_limit)
    into v_items, v_count, v_next
    from page;
  return chat.answered_page(v_items, v_count > v_limit, format('?limit=%s&after=%s', v_limit, v_next));
end
$$;
comment on function chat.api_member_list(bytea, bigint, int, bigint) is
  'GET /rooms/{room}/members?limit=&after=: who is in the room, for members. 200 {items: [{user, role, joined_at, read_seq}], has_more}.';
