create or replace function chat.api_presence(p_token bytea, p_users bigint[]) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
begin
  perform chat.fail_fields('users', case when cardinality(p_users) > 200 then 'Ask for up to 200 people.' end);
  return chat.answered(200, (
    select json_build_object('items', coalesce(
             json_agg(chat.presence_json(row(u.id, coalesce(n.online, false), n.last_seen)::chat.presence_now) order by u.id), '[]'))
      from (select distinct id from unnest(p_users) id) u
      left join chat.presence_now n on n.user_id = u.id
     where exists (select from chat.member mine join chat.member theirs on theirs.room_id = mine.room_id
                    where mine.user_id = v_me and theirs.user_id = u.id)));
end
$$;
comment on function chat.api_presence(bytea, bigint[]) is
  'GET /presence?users=: of people one shares a room with; others are left out. 200 {items: [{user, online, last_seen}]}; last_seen is null for those who never were online.';
