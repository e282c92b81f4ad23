create or replace function chat.api_room_list(p_token bytea, p_limit int, p_before text) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_limit constant int := chat.page_limit(p_limit);
  v_before constant bigint[] := chat.page_place(p_before);
  v_items json;
  v_count int;
  v_next text;
begin
  with page as (
    select m.room_id, c.last_at, row_number() over (order by c.last_at desc, m.room_id desc) as nth
      from chat.member m join chat.room_counter c on c.room_id = m.room_id
     where m.user_id = v_me
       and (v_before is null or (chat.epoch_us(c.last_at), m.room_id) < (v_before[1], v_before[2]))
     order by c.last_at desc, m.room_id desc
     limit v_limit + 1
  )
  select json_agg(chat.room_json(room_id, v_me) order by nth) filter (where nth <= v_limit),
         count(*),
         max(chat.epoch_us(last_at) || '.' || room_id) filter (where nth = v_limit)
    into v_items, v_count, v_next
    from page;
  return chat.answered_page(v_items, v_count > v_limit, format('?limit=%s&before=%s', v_limit, v_next));
end
$$;
comment on function chat.api_room_list(bytea, int, text) is
  'GET /rooms?limit=&before=: my rooms, newest activity first. 200 {items: [room], has_more}; before is opaque and comes from Link.';
