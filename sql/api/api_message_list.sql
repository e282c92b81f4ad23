create or replace function chat.api_message_list(
  p_token bytea, p_room_id bigint, p_before bigint, p_after bigint, p_around bigint, p_limit int) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_member constant chat.member := chat.room_member(p_room_id, v_me);
  v_limit constant int := chat.page_limit(p_limit);
  v_floor bigint;
  v_low bigint;
  v_high bigint;
  v_older boolean;
  v_newer boolean;
  v_items json;
begin
  if num_nonnulls(p_before, p_after, p_around) > 1 then
    perform chat.fail('CF012', 'Use one of before, after and around.');
  end if;
  select case when chat.history_shows(r, v_member, v_member.since_seq) then 0 else v_member.since_seq end
    into strict v_floor
    from chat.room r where r.id = p_room_id;
  -- The page is a range of seq: seqs have no gaps but what retention took.
  with page as (
    (select seq from chat.message
      where room_id = p_room_id and seq > v_floor and p_after is null and seq < coalesce(p_before, p_around, 9223372036854775807)
      order by seq desc limit case when p_around is null then v_limit else v_limit / 2 end)
    union all
    (select seq from chat.message
      where room_id = p_room_id and seq > v_floor
        and seq > case when p_after is not null then p_after else p_around - 1 end
      order by seq limit case when p_around is null then v_limit else v_limit - v_limit / 2 end)
  )
  select min(p.seq), max(p.seq), json_agg(chat.message_json(m) order by m.seq)
    into v_low, v_high, v_items
    from page p join chat.message m on m.room_id = p_room_id and m.seq = p.seq;
  v_older := exists (select from chat.message where room_id = p_room_id and seq > v_floor and seq < v_low);
  v_newer := exists (select from chat.message where room_id = p_room_id and seq > v_floor and seq > v_high);
  return chat.answered(200,
    json_build_object('items', coalesce(v_items, '[]'),
                      'has_more', case when p_after is not null then v_newer else v_older end,
                      'has_older', v_older, 'has_newer', v_newer),
    case when p_after is not null and v_newer then format('?limit=%s&after=%s', v_limit, v_high)
         when p_after is null and v_older then format('?limit=%s&before=%s', v_limit, v_low) end);
end
$$;
comment on function chat.api_message_list(bytea, bigint, bigint, bigint, bigint, int) is
  'GET /rooms/{room}/messages?before=|after=|around=&limit=: a page of history, in ascending seq; the newest one when no place is given. before and after are exclusive. 200 {items: [message], has_more, has_older, has_newer}; has_more and Link go on in the direction asked for (around: to older ones).';
