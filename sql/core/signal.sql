-- Signals: what is worth telling now and never again. They travel in the payload of a NOTIFY, and in no table.

create or replace function chat.signal_send(p_type text, p_user_id bigint, p_rooms bigint[], p_data json) returns void
language plpgsql
as $$
declare
  -- An id and a comma take up to 20 of the 7,999 bytes that NOTIFY carries.
  c_rooms constant int := 300;
begin
  perform pg_notify('chat_signal', concat_ws(' ', p_type, p_user_id, array_to_string(p_rooms[i:i + c_rooms - 1], ','), p_data))
     from generate_series(1, cardinality(p_rooms), c_rooms) i;
end
$$;
comment on function chat.signal_send(text, bigint, bigint[], json) is
  'Tells those members of the rooms who are connected, but not the person whom it is about: "TYPE USER ROOM,ROOM… JSON". The daemons deliver it after they have looked at the log once more, so that it passes no leave.';

create or replace function chat.commit_async() returns void
language plpgsql
as $$
begin
  if pg_current_xact_id_if_assigned() is null then
    perform set_config('synchronous_commit', 'off', true);
  end if;
end
$$;
comment on function chat.commit_async() is
  'For a transaction that begins here and writes what a crash may take: commits without waiting for the disk, and without making other NOTIFYs wait for it.';
