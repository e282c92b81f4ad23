create or replace function chat.api_snapshot(p_token bytea) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
begin
  return chat.answered(200, (
    select row_to_json(x)
      from (select chat.person_json(p, p.id) as "user",
                   chat.session_json(s) as session,
                   (select coalesce(json_agg(chat.room_json(m.room_id, v_me) order by c.last_at desc, m.room_id desc), '[]')
                      from chat.member m join chat.room_counter c on c.room_id = m.room_id
                     where m.user_id = v_me) as rooms,
                   chat.unread_json(v_me) as unread,
                   chat.presence_around(v_me) as presence,
                   chat.cursor_now() as cursor,
                   chat.rfc3339(now()) as at
              from chat.session s join chat.person p on p.id = s.user_id
             where s.token_hash = p_token) x));
end
$$;
comment on function chat.api_snapshot(bytea) is
  'GET /snapshot: 200 {user, session, rooms, unread, presence, cursor, at}, all of one database snapshot: a stream that starts at the cursor misses nothing and repeats nothing.';
