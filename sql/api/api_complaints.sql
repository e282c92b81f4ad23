create or replace function chat.api_complaints(p_texts text) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.fail_fields(variadic coalesce((
    select array_agg(pair order by field, place)
      from (select t.field, chat.complaint(t.field, case t.field
                     when 'login' then chat.login_clean(t.text)
                     when 'body' then t.text
                     else chat.text_clean(t.text) end) as complaint
              from json_each_text(p_texts::json) t (field, text)) c,
           lateral (values (1, c.field), (2, c.complaint)) p (place, pair)), '{}'));
  return chat.answered(200, '[]');
end
$$;
comment on function chat.api_complaints(text) is
  'For a request that is refused anyway: what else is wrong with its texts, {field: text}, whose type and length are right. CF007 with all complaints, or 200 when there are none.';
