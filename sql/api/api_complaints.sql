create or replace function chat.api_complaints(p_texts text) returns chat.answer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform chat.fail_fields(variadic coalesce((
    select array_agg(pair order by field, place)
      from json_each_text(p_texts::json) t (field, text),
           lateral (values (1, t.field), (2, chat.complaint(t.field, t.text))) p (place, pair)), '{}'));
  return chat.answered(200, '[]');
end
$$;
comment on function chat.api_complaints(text) is
  'For a request that is refused anyway: what else is wrong with its texts, {field: text}, whose type and length are right. CF007 with all complaints, or 200 when there are none.';
