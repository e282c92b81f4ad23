create or replace function chat.api_message_send(
  p_token bytea, p_room_id bigint, p_body text, p_type text, p_meta text, p_client_id uuid, p_reply_to bigint) returns chat.answer
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_me constant bigint := chat.session_user_id(p_token);
  v_type constant text := coalesce(p_type, 'text');
  v_meta constant jsonb := coalesce(p_meta, '{}');
  -- Of the request as it came: an edit must not make an honest repeat look like another message.
  v_hash constant bytea := sha256(convert_to(
    json_build_array(p_room_id, p_body, v_type, v_meta, p_reply_to)::text, 'UTF8'));
  v_message json;
  v_first_hash bytea;
begin
  insert into chat.message as m (room_id, sender_id, client_id, type, body, meta, reply_to, request_hash)
  select p_room_id, v_me, p_client_id, v_type, p_body, v_meta, p_reply_to, v_hash
   where p_client_id is null
      or not exists (select from chat.message where sender_id = v_me and client_id = p_client_id)
  on conflict (sender_id, client_id) do nothing
  returning chat.message_json(m) into v_message;
  if found then
    return chat.answered(201, v_message);
  end if;
  select chat.message_json(m), m.request_hash into v_message, v_first_hash
    from chat.message m where m.sender_id = v_me and m.client_id = p_client_id;
  if v_first_hash is distinct from v_hash then
    perform chat.fail('CF008', 'This client_id was used for another message.', 'client_id');
  end if;
  return chat.answered(200, v_message);
end
$$;
comment on function chat.api_message_send(bytea, bigint, text, text, text, uuid, bigint) is
  'POST /rooms/{room}/messages: 201 message; a repeat of the same client_id 200 with the same message, CF008 when it is not the same. CF003 or CF004 for a non-member, CF006 in an archived room, CF007 for body, type, meta (JSON object) or reply_to. All rules are in the triggers of chat.message.';
