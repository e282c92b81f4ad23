-- How api_ functions answer: a result, or an error of class CF that the workers map to HTTP.

create or replace function chat.fail(p_code text, p_message text, p_field text default '') returns void
language plpgsql
as $$
begin
  raise exception using errcode = p_code, message = p_message, column = p_field;
end
$$;
comment on function chat.fail(text, text, text) is
  'Raises an error of class CF. CF001 not authenticated, CF002 wrong credentials, CF003 forbidden, CF004 not found, CF005 login taken, CF006 conflict, CF007 invalid (p_field names the input), CF008 client_id reused, CF009 too many, CF010 the log''s epoch changed, CF011 room busy, CF012 bad request. The message is written for clients.';

create or replace function chat.fail_fields(variadic p_complaints text[]) returns void
language plpgsql
as $$
declare
  v_lines text[] := '{}';
  v_field text;
  v_complaint text;
begin
  -- The names are never null.
  if num_nulls(variadic p_complaints) * 2 = cardinality(p_complaints) then
    return;
  end if;
  for i in 1 .. cardinality(p_complaints) by 2 loop
    if p_complaints[i + 1] is not null then
      v_field := coalesce(v_field, p_complaints[i]);
      v_complaint := coalesce(v_complaint, p_complaints[i + 1]);
      v_lines := v_lines || (p_complaints[i] || ': ' || p_complaints[i + 1]);
    end if;
  end loop;
  if v_field is not null then
    raise exception using errcode = 'CF007', message = v_complaint, column = v_field, detail = array_to_string(v_lines, E'\n');
  end if;
end
$$;
comment on function chat.fail_fields(text[]) is
  'Takes pairs of a field''s name and a complaint about it, which is null when there is none. Raises CF007 with all complaints, each a line "field: complaint" of the error''s detail; the first one is also message and column.';

create or replace function chat.fail_later(p_message text, p_at timestamptz) returns void
language plpgsql
as $$
begin
  raise exception using errcode = 'CF009', message = p_message,
    hint = greatest(1, ceil(extract(epoch from p_at - clock_timestamp())))::bigint;
end
$$;
comment on function chat.fail_later(text, timestamptz) is
  'Raises CF009, too many for now. The error''s hint is the number of seconds until p_at, which becomes Retry-After.';

create or replace function chat.json_is_id(p_value json) returns boolean
language sql immutable
as $$
  select case when json_typeof(p_value) = 'number' and p_value::text ~ '^[0-9]{1,19}$'
    then p_value::text::numeric between 1 and 9223372036854775807 else false end
$$;
comment on function chat.json_is_id(json) is 'Whether a JSON value is a number that an id or a seq can be: whole, from 1 on.';

create or replace function chat.answered(p_status int, p_body json, p_link text default null) returns chat.answer
language sql immutable
as $$
  select row(p_status, p_body::text, p_link)::chat.answer
$$;
comment on function chat.answered(int, json, text) is 'Composes what an api_ function answers.';

create or replace function chat.answered_page(p_items json, p_has_more boolean, p_link text) returns chat.answer
language sql stable
as $$
  select chat.answered(200,
    json_build_object('items', coalesce(p_items, '[]'), 'has_more', p_has_more),
    case when p_has_more then p_link end)
$$;
comment on function chat.answered_page(json, boolean, text) is
  'The same of a list: 200 {items, has_more}. p_link leads to the next page, and is not told when there is none.';

create or replace function chat.page_place(p_place text) returns bigint[]
language plpgsql stable
as $$
begin
  if p_place !~ '^[0-9]{1,18}[.][0-9]{1,18}$' then
    perform chat.fail('CF012', 'This is not a place in the list.');
  end if;
  return string_to_array(p_place, '.')::bigint[];
end
$$;
comment on function chat.page_place(text) is
  'Reads the place that a page''s Link gave, "SORTKEY.ID"; null for null, CF012 for anything else.';

create or replace function chat.page_limit(p_limit int) returns int
language sql immutable
as $$
  select greatest(1, least(coalesce(p_limit, 50), 200))
$$;
comment on function chat.page_limit(int) is 'How many items a page has: as asked for, from 1 to 200; 50 by default.';

create or replace function chat.epoch_us(p_at timestamptz) returns bigint
language sql immutable
as $$
  select (extract(epoch from p_at) * 1000000)::bigint
$$;
comment on function chat.epoch_us(timestamptz) is 'Microseconds since 1970: a time as a sort key that text keeps exactly.';
