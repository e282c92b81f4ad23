create or replace function chat.api_user_search(p_token bytea, p_q text, p_limit int, p_after text) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_viewer_id constant bigint := chat.session_user_id(p_token);
  v_q constant text := lower(normalize(coalesce(btrim(p_q), ''), nfc));
  -- No word has a quote in it, so that quotes suffice. The mark makes the last word a prefix.
  v_words constant tsquery := (select string_agg(format('''%s''', w), ' & ') from unnest(chat.words(v_q)) w) || ':*';
  v_limit constant int := chat.page_limit(p_limit);
  v_after constant bigint[] := coalesce(chat.page_place(p_after), '{-1,0}');
  v_items json;
  v_count int;
  v_next text;
begin
  if v_q = '' then
    perform chat.fail('CF007', 'Say whom to look for.', 'q');
  elsif char_length(v_q) > 100 then
    perform chat.fail('CF007', 'This may have up to 100 characters.', 'q');
  end if;
  with candidate as (
    select p as person, p.id, case when p.login = v_q then 0 when p.login ^@ v_q and p.login not like '+%' then 1 else 2 end as rank
      from chat.person p
     where p.id <> v_viewer_id
       and (p.login = v_q or (p.login ^@ v_q and p.login not like '+%') or p.name_words @@ v_words)
  ), page as (
    select c.person, c.id, c.rank, row_number() over (order by c.rank, c.id) as nth
      from candidate c
     where (c.rank, c.id) > (v_after[1], v_after[2])
     order by c.rank, c.id
     limit v_limit + 1
  )
  select json_agg(chat.person_json(g.person, v_viewer_id) order by g.nth) filter (where g.nth <= v_limit),
         count(*),
         max(g.rank || '.' || g.id) filter (where g.nth = v_limit)
    into v_items, v_count, v_next
    from page g;
  return chat.answered_page(v_items, v_count > v_limit,
             format('?q=%s&limit=%s&after=%s', chat.url_encode(v_q), v_limit, v_next));
end
$$;
comment on function chat.api_user_search(bytea, text, int, text) is
  'GET /users?q=&limit=&after=: people whose login begins with q, or in whose display name every word of q stands, the last one as a beginning. A phone number finds its owner only when typed whole. 200 {items: [user], has_more}; best matches first, oneself left out.';
