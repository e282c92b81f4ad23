-- The armed doorbell: who rings after his commit, and only if a daemon sleeps. docs/architecture.md tells why no
-- event waits. A sleeping daemon holds 64 advisory keys shared; a ringer tries one of them exclusively for an
-- instant, and is refused. With one key for all, ringers would refuse each other, and ring for nobody.

create or replace function chat.ring_class() returns int
language sql immutable
as $$
  select hashtext('confab.ring')
$$;
comment on function chat.ring_class() is
  'First half of the doorbell''s advisory keys, (ring_class, 0 to 63). Keys of two ints are never the same as those of one bigint, which the other advisory locks here have.';

create or replace function chat.ring() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_key constant int := pg_backend_pid() % 64;
begin
  -- One expression: nothing can interrupt it between the lock and the unlock.
  if pg_try_advisory_lock(chat.ring_class(), v_key) and pg_advisory_unlock(chat.ring_class(), v_key) then
    return false;
  end if;
  -- Nobody waits for a flush: after a crash daemons reconnect, and look. What else the transaction wrote stays safe.
  if pg_current_xact_id_if_assigned() is null then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  perform pg_notify('chat_event', '');
  return true;
end
$$;
comment on function chat.ring() is
  'The doorbell of those who switch the trigger''s off (chat.ring): NOTIFYs if a daemon sleeps, and says whether it did. Call it after the commit of the events, in a transaction of its own, which commits asynchronously.';

create or replace function chat.ring_arm() returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if (select bool_and(pg_try_advisory_lock_shared(chat.ring_class(), k)) from generate_series(0, 63) k) then
    return true;
  end if;
  -- A ringer holds one just now; the next one with that key would find nobody asleep.
  perform pg_advisory_unlock_all();
  return false;
end
$$;
comment on function chat.ring_arm() is
  'For a daemon that is about to sleep: from now on ring() NOTIFYs. It must look at the log once more in a later transaction, since what was committed before rang for nobody. False: somebody was ringing, nothing is held; try again. Never waits.';

create or replace function chat.ring_disarm() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_advisory_unlock_all();
end
$$;
comment on function chat.ring_disarm() is
  'For a daemon that is busy: nobody needs to ring. Gives back all advisory locks of the connection''s session, which has no others.';
