-- People, and the rules for the texts that people enter.

create or replace function chat.text_clean(p_text text) returns text
language sql immutable
as $$
  select normalize(btrim(p_text), nfc)
$$;
comment on function chat.text_clean(text) is 'A text of one line as it is kept: trimmed, in NFC.';

create or replace function chat.login_clean(p_login text) returns text
language sql immutable
as $$
  select lower(btrim(p_login))
$$;
comment on function chat.login_clean(text) is 'A login as it is kept: trimmed, in lower case.';

create or replace function chat.text_complaint(p_text text, p_min int, p_max int, p_lines boolean default false) returns text
language plpgsql stable
as $$
begin
  -- Not only what shows nothing: spaces of all kinds, zero-width characters, bidi controls, fillers, tags.
  if p_text is null or char_length(p_text) > p_max or p_min > 0 and p_text ~
       '^[\s\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*$' then
    return case when p_min > 0
      then format('This needs 1 to %s characters, of which at least one is visible.', p_max)
      else format('This may have up to %s characters.', p_max) end;
  end if;
  -- Controls: with p_lines all but tab, LF and CR LF.
  if p_text ~ (case when p_lines then '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\r(?!\n)'
                    else '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' end) then
    return 'Control characters are not allowed.';
  end if;
  return null;
end
$$;
comment on function chat.text_complaint(text, int, int, boolean) is
  'Why a text is not fit to be shown, in words for the one who entered it; null when it is. Many lines (p_lines) may hold tab, LF and CR LF.';

create or replace function chat.complaint(p_field text, p_text text) returns text
language plpgsql stable
as $$
begin
  -- Not one expression, of which each transaction would set up all branches. What each send asks for comes first.
  case p_field
    when 'body' then
      return chat.text_complaint(p_text, 1, 10000, true);
    when 'type' then
      return case when p_text ~ '^[a-z][a-z0-9_.-]{0,31}$' then null else 'A type is up to 32 lower-case letters, digits and ". _ -".' end;
    when 'login' then
      return case when chat.login_clean(p_text) ~ '^([a-z0-9][a-z0-9._-]{1,31}|\+[0-9]{7,15})$' then null else
        'A login is 2 to 32 letters a-z, digits and ". _ -", beginning with a letter or digit; or a phone number as + and 7 to 15 digits.'
        end;
    when 'display_name' then
      return chat.text_complaint(chat.text_clean(p_text), 1, 64);
    when 'name' then
      return chat.text_complaint(chat.text_clean(p_text), 1, 80);
    when 'topic' then
      return chat.text_complaint(chat.text_clean(p_text), 0, 300);
    when 'kind' then
      return case when p_text in ('private', 'public') then null else 'A room is private or public.' end;
    when 'history' then
      return case when p_text in ('all', 'since_join') then null else 'History is all or since_join.' end;
    else
      return null;
  end case;
end
$$;
comment on function chat.complaint(text, text) is
  'The rule for the text in a field of that name, cleaned or not: what is wrong with it, in words for the one who entered it; null when it is good, or when there is no rule.';

create or replace function chat.person_check() returns trigger
language plpgsql
as $$
begin
  new.login := chat.login_clean(new.login);
  new.display_name := chat.text_clean(new.display_name);
  perform chat.fail_fields('login', chat.complaint('login', new.login), 'display_name', chat.complaint('display_name', new.display_name));
  return new;
end
$$;
comment on function chat.person_check() is 'Rules for logins and display names.';

create or replace trigger person_check before insert or update of login, display_name on chat.person
  for each row execute function chat.person_check();

create or replace function chat.person_brief(p_user_id bigint) returns json
language plpgsql stable
as $$
begin
  return coalesce((select row_to_json(x) from (select p.id, p.display_name from chat.person p where p.id = p_user_id) x),
                  json_build_object('id', p_user_id, 'display_name', null));
end
$$;
comment on function chat.person_brief(bigint) is 'A person as others'' messages name him; of one who was deleted only the id.';

create or replace function chat.person_json(p_person chat.person, p_viewer_id bigint) returns json
language plpgsql stable
as $$
begin
  return (
    select row_to_json(x)
      from (select p_person.id,
                   case when p_person.id = p_viewer_id or p_person.login not like '+%' then p_person.login end as login,
                   p_person.display_name) x);
end
$$;
comment on function chat.person_json(chat.person, bigint) is
  'A person as the viewer may see him: a login that is a phone number is null for everybody else.';

-- stable like to_char, else it could not be inlined
create or replace function chat.rfc3339(p_at timestamptz) returns text
language sql stable
as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
comment on function chat.rfc3339(timestamptz) is 'The time as RFC 3339 in UTC, to the millisecond.';

create or replace function chat.url_encode(p_text text) returns text
language sql immutable
as $$
  select string_agg(case when b between 48 and 57 or b between 65 and 90 or b between 97 and 122 or b in (45, 46, 95, 126)
                      then chr(b) else '%' || upper(lpad(to_hex(b), 2, '0')) end, '' order by i)
    from (select i, get_byte(convert_to(p_text, 'UTF8'), i) as b
            from generate_series(0, octet_length(p_text) - 1) i) bytes
$$;
comment on function chat.url_encode(text) is 'Percent-encodes all but the unreserved characters of RFC 3986 section 2.3.';
