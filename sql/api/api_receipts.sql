create or replace function chat.api_receipts(p_token bytea, p_items text) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_room_id bigint[];
  v_kind text[];
  v_seq bigint[];
begin
  perform chat.fail_fields(variadic chat.receipt_complaints(v_me, p_items::json));
  select array_agg(i.room), array_agg(i.kind), array_agg(i.seq) into v_room_id, v_kind, v_seq
    from json_to_recordset(p_items::json) i (room bigint, kind text, seq bigint);
  perform chat.receipts_mark(v_me, v_room_id, v_kind, v_seq);
  return chat.answered(200, (
    select json_build_object('items', json_agg(chat.receipt_json(r, v_me) order by r))
      from (select distinct unnest(v_room_id) as r) rooms));
end
$$;
comment on function chat.api_receipts(bytea, text) is
  'POST /receipts: several at once, [{room, kind, seq}] with kind read or delivered. All or none: CF007 names what is wrong with each item, as a room one is not in. 200 {items}: for each room as chat.api_read.';
