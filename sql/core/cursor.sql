-- The log's order and its cursors. A cursor is EPOCH-XMIN:XMAX:XIP: the transactions whose events its
-- holder has seen; with ~FILTER at its end, of some rooms only. Everything here is STABLE, so that a cursor and what
-- was read with it are of one snapshot.

-- plpgsql, for its plan is kept: an SQL function would be planned anew by every look at the log.
create or replace function chat.epoch() returns text
language plpgsql stable
as $$
begin
  return (
    select substr(encode(sha256(convert_to(concat_ws(':',
             c.system_identifier,
             substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
             d.oid,
             pg_relation_filenode('chat.event'),
             s.salt), 'UTF8')), 'hex'), 1, 8)
      from pg_control_system() c, pg_database d, chat.log_state s
     where d.datname = current_database());
end
$$;
comment on function chat.epoch() is
  'Names this life of the log, 8 hex digits: server, timeline, database and the table''s file, and what epoch_begin() drew. A crash keeps it; a promoted standby, a restored dump and a table that was truncated have another, for they may issue again what clients have seen. Fails on a standby.';

create or replace function chat.cursor_now() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_epoch constant text := chat.epoch();
  v_state chat.log_state;
  v_xmax bigint;
  v_xmin bigint;
begin
  select * into strict v_state from chat.log_state;
  if v_state.epoch is distinct from v_epoch then
    perform chat.fail('CF010', 'The event log belongs to an earlier life of this database.');
  end if;
  -- A crash issues ids again that left no trace on disk. An event is on disk before it is visible, so
  -- no id up to the newest event's is ever reissued: the cursor claims nothing above that.
  select greatest(coalesce(max(xid), '0'), v_state.pruned_xid)::text::bigint + 1 into v_xmax from chat.event;
  v_xmax := least(v_xmax, pg_snapshot_xmax(v_snapshot)::text::bigint);
  v_xmin := least(v_xmax, pg_snapshot_xmin(v_snapshot)::text::bigint);
  return format('%s-%s:%s:%s', v_epoch, v_xmin, v_xmax,
    (select string_agg(x::text, ',' order by x) from pg_snapshot_xip(v_snapshot) x where x::text::bigint < v_xmax));
end
$$;
comment on function chat.cursor_now() is
  'The one maker of cursors: covers exactly the events visible to the calling statement. Call it in the statement that reads, or from a STABLE function; a VOLATILE one has a newer snapshot for each statement and loses what commits in between. Raises CF010 when epoch_begin() is due.';

create or replace function chat.cursor_snapshot(p_cursor text) returns pg_snapshot
language plpgsql immutable
as $$
begin
  if length(p_cursor) > 20000
     or p_cursor !~ '^[0-9a-f]{8}-[0-9]{1,19}:[0-9]{1,19}:([0-9]{1,19}(,[0-9]{1,19})*)?(~[0-9a-f]{8})?$' then
    return null;
  end if;
  return split_part(substr(p_cursor, 10), '~', 1)::pg_snapshot;
exception
  when data_exception then
    return null;
end
$$;
comment on function chat.cursor_snapshot(text) is 'The snapshot in a cursor, or null when it is none.';

create or replace function chat.cursor_refusal(p_cursor text) returns text
language plpgsql stable
as $$
declare
  v_cursor constant pg_snapshot := chat.cursor_snapshot(p_cursor);
  v_state chat.log_state;
begin
  if v_cursor is null then
    return 'expired';
  end if;
  select * into strict v_state from chat.log_state;
  if substr(p_cursor, 1, 8) is distinct from v_state.epoch then
    return 'epoch';
  end if;
  -- From the future: forged, for it would hide what is yet to come.
  if pg_snapshot_xmax(v_cursor) > pg_snapshot_xmax(pg_current_snapshot()) then
    return 'expired';
  end if;
  -- A pruned event that the cursor does not cover could no longer be told.
  if pg_snapshot_xmax(v_cursor) <= v_state.pruned_xid
     or exists (select from pg_snapshot_xip(v_cursor) x
                 where x <= v_state.pruned_xid and pg_visible_in_snapshot(x, v_state.pruned_snapshot)) then
    return 'expired';
  end if;
  -- More open transactions than a client should carry around.
  if (select count(*) from pg_snapshot_xip(v_cursor)) > 1000 then
    return 'expired';
  end if;
  return null;
end
$$;
comment on function chat.cursor_refusal(text) is
  'Why a cursor cannot be continued from: expired (or no cursor at all) or epoch; null when it can.';

create or replace function chat.cursor_filter(p_rooms bigint[]) returns text
language sql immutable
as $$
  select substr(encode(sha256(convert_to(coalesce(string_agg(r::text, ',' order by r), ''), 'UTF8')), 'hex'), 1, 8)
    from (select distinct unnest(p_rooms) as r) rooms
  having p_rooms is not null
$$;
comment on function chat.cursor_filter(bigint[]) is
  'What a cursor over these rooms alone ends with, after "~": 8 hex digits of SHA-256 over their ids, each once, in ascending order, with commas between. Null for null, which is no filter.';

create or replace function chat.cursor_refusal(p_cursor text, p_filter text) returns text
language sql stable
as $$
  select coalesce(chat.cursor_refusal(p_cursor),
                  case when nullif(split_part(p_cursor, '~', 2), '') is distinct from p_filter then 'filter' end)
$$;
comment on function chat.cursor_refusal(text, text) is
  'The same for one who asks under a filter (chat.cursor_filter; null: none): also filter, when the cursor was made under another one, for it then covers what was never sent.';

create or replace function chat.event_after(p_from pg_snapshot, p_limit int) returns setof chat.event
language plpgsql stable
-- How much a cursor leaves unseen no plan can know. What is left here reads by xid, and only that: not the whole log, to
-- save a sort or since it is small yet.
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_indexscan = off
as $$
begin
  return query
    -- Not "xid >= xmin and not visible": the same rows, but it reads all since the oldest open writer.
    select e.*
      from chat.event e
     where e.xid >= pg_snapshot_xmax(p_from)
        or e.xid = any (array(select pg_snapshot_xip(p_from)))
     limit p_limit;
end
$$;
comment on function chat.event_after(pg_snapshot, int) is
  'The events that a cursor''s snapshot does not cover, unordered; sort them by id. Never go on from what p_limit has cut: the next cursor would cover what was left out. Null: all.';

create or replace function chat.event_for(p_user_id bigint, p_from pg_snapshot, p_rooms bigint[]) returns setof chat.event
language sql stable
as $$
  -- Each part by an index of its own, so that it costs what it finds, however long the log is: what was
  -- said in each room, and what was said to the person; each after the cursor, and in its gaps.
  select e.*
    from chat.member m
    join chat.event e on e.room_id = m.room_id and e.xid >= pg_snapshot_xmax(p_from)
                     -- Only the join itself has the very id that the membership begins at.
                     and e.id >= m.since and (e.type <> 'room.new' or e.user_id = p_user_id)
   where m.user_id = p_user_id and (p_rooms is null or m.room_id = any (p_rooms))
   union all
  select e.*
    from chat.member m
    join chat.event e on e.room_id = m.room_id and e.xid = any (array(select pg_snapshot_xip(p_from)))
                     and e.id >= m.since and (e.type <> 'room.new' or e.user_id = p_user_id)
   where m.user_id = p_user_id and (p_rooms is null or m.room_id = any (p_rooms))
   union all
  select e.*
    from chat.event e
    left join chat.member m on m.room_id = e.room_id and m.user_id = p_user_id and m.room_id <> all (p_rooms)
   where e.user_id = p_user_id and e.xid >= pg_snapshot_xmax(p_from)
     and (e.room_id is null or e.type = 'member.leave' or e.id >= m.since)
   union all
  select e.*
    from chat.event e
    left join chat.member m on m.room_id = e.room_id and m.user_id = p_user_id and m.room_id <> all (p_rooms)
   where e.user_id = p_user_id and e.xid = any (array(select pg_snapshot_xip(p_from)))
     and (e.room_id is null or e.type = 'member.leave' or e.id >= m.since)
$$;
comment on function chat.event_for(bigint, pg_snapshot, bigint[]) is
  'Of the events that a cursor does not cover, those this person may see by today''s memberships, unordered; sort them by id. Of a room that was left only the person''s own member.leave remains. With p_rooms only of these rooms, and what is about the person himself of all; null: no filter.';

create or replace function chat.event_missed(p_user_id bigint, p_from pg_snapshot, p_rooms bigint[], p_limit int) returns chat.event[]
language plpgsql stable
-- How much a cursor leaves unseen is not known to a plan that is kept: it might read the whole log of a room.
set plan_cache_mode = force_custom_plan
as $$
declare
  v_events chat.event[];
begin
  -- LIMIT only to see that there are too many: then none is sent.
  select coalesce(array_agg(row(e.*)::chat.event order by e.id), '{}') into v_events
    from (select f.* from chat.event_for(p_user_id, p_from, p_rooms) f where p_user_id is not null
           union all
          select a.* from chat.event_after(p_from, p_limit + 1) a where p_user_id is null
           limit p_limit + 1) e;
  return case when cardinality(v_events) <= p_limit then v_events end;
end
$$;
comment on function chat.event_missed(bigint, pg_snapshot, bigint[], int) is
  'What event_for has, by id; null when these are more than p_limit. p_user_id null: what event_after has.';

create or replace function chat.epoch_begin() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_epoch constant text := chat.epoch();
  v_known text;
begin
  select epoch into strict v_known from chat.log_state for update;
  if v_known is distinct from v_epoch then
    -- Rows from before carry transaction ids of another life, and would be new for ever.
    delete from chat.event;
    delete from chat.prune_mark;
    update chat.log_state set salt = gen_random_uuid(), pruned_xid = '0', pruned_snapshot = null;
    update chat.log_state set epoch = chat.epoch();
  end if;
end
$$;
comment on function chat.epoch_begin() is
  'Starts a new, empty log when the database has a new life (chat.epoch() changed); else does nothing. All older cursors then get reset. Safe to call at any time, by several at once.';

create or replace function chat.event_prune(p_keep interval) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_batch constant int := 20000;
  v_mark chat.prune_mark;
  v_count bigint;
  v_top xid8;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('confab.event_prune', 0)) then
    return 0;
  end if;
  -- One statement, so one snapshot; clamped like every cursor, since a crash may reissue ids.
  insert into chat.prune_mark (at, snapshot)
  select clock_timestamp(), chat.cursor_snapshot(chat.cursor_now());

  select * into v_mark from chat.prune_mark
   where at <= clock_timestamp() - p_keep
   order by at desc limit 1;
  if not found then
    return 0;
  end if;
  with gone as (
    delete from chat.event
     where id in (select id from chat.event
                   where xid < pg_snapshot_xmax(v_mark.snapshot)
                     and xid <> all (array(select pg_snapshot_xip(v_mark.snapshot)))
                   order by xid
                   limit c_batch)
    returning xid
  )
  select count(*), max(xid) into v_count, v_top from gone;
  if v_count > 0 then
    update chat.log_state
       set pruned_xid = greatest(pruned_xid, v_top), pruned_snapshot = v_mark.snapshot;
  end if;
  if v_count < c_batch then
    delete from chat.prune_mark where at < v_mark.at;
  end if;
  return v_count;
end
$$;
comment on function chat.event_prune(interval) is
  'Deletes up to 20,000 events that looks could see for at least p_keep already, and returns how many. Cursors that do not cover them get reset. Call it every few minutes; retention is counted from such calls.';
