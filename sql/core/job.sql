-- Jobs: what must happen once in the world. A claim is a lease, so that a job outlives whoever claimed it; an effect
-- in this database that is written in the transaction of its job_done() happens exactly once.

create or replace function chat.job_add(
  p_kind text, p_payload jsonb default '{}', p_key text default null, p_run_at timestamptz default now()) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_id bigint;
begin
  insert into chat.job (kind, key, payload, run_at)
  values (p_kind, p_key, p_payload, p_run_at)
  on conflict (kind, key) do nothing
  returning id into v_id;
  if not found then
    select id into v_id from chat.job where kind = p_kind and key = p_key;
  end if;
  return v_id;
end
$$;
comment on function chat.job_add(text, jsonb, text, timestamptz) is
  'Adds a job to be done from p_run_at on, and returns its id. With a key that this kind of job has already, it is that job, done or not.';

create or replace function chat.job_claim(p_kinds text[], p_who text, p_lease interval, p_limit int)
returns table (id bigint, kind text, payload jsonb, attempts bigint)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  -- What ends its claimers without a word is not tried for ever either.
  with spent as (
    select j.id from chat.job j
     where j.state = 'open' and j.kind = any (p_kinds) and greatest(j.run_at, j.lease_until) <= statement_timestamp()
       and j.attempts >= j.attempts_max
       for update skip locked
  )
  update chat.job j
     set state = 'failed', ended_at = clock_timestamp(), claimed_by = null, lease_until = null,
         last_error = format('%s let its lease run out', j.claimed_by)
    from spent s
   where j.id = s.id;
  with due as (
    select j.id from chat.job j
     where j.state = 'open' and j.kind = any (p_kinds) and greatest(j.run_at, j.lease_until) <= statement_timestamp()
       and (j.attempts >= j.attempts_max) is not true
     order by greatest(j.run_at, j.lease_until), j.id
     limit p_limit
       for update skip locked
  )
  update chat.job j
     set attempts = j.attempts + 1, claimed_by = p_who, lease_until = clock_timestamp() + p_lease,
         last_error = case when j.claimed_by is null then j.last_error else format('%s let its lease run out', j.claimed_by) end
    from due d
   where j.id = d.id
  returning j.id, j.kind, j.payload, j.attempts
$$;
comment on function chat.job_claim(text[], text, interval, int) is
  'Gives the caller, who calls himself p_who, up to p_limit jobs of these kinds that are due and nobody else''s, for the time of a lease. Then call job_done() or job_fail() for each. When the lease has run out first, it is given to the next one who asks, or has failed if that was its last attempt.';

create or replace function chat.job_done(p_id bigint, p_who text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update chat.job
     set state = case when every is null then 'done' else 'open' end,
         ended_at = case when every is null then clock_timestamp() end,
         run_at = case when every is null then run_at else clock_timestamp() + every end,
         attempts = case when every is null then attempts else 0 end,
         claimed_by = null, lease_until = null, last_error = null
   where id = p_id and claimed_by = p_who;
  return found;
end
$$;
comment on function chat.job_done(bigint, text) is
  'Ends a job that p_who had claimed; one that recurs is open again. False when it is not his any more, for somebody else claimed it: what he did for it in this transaction he must take back.';

create or replace function chat.job_fail(p_id bigint, p_who text, p_error text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
  update chat.job
     set state = case when attempts >= attempts_max then 'failed' else 'open' end,
         ended_at = case when attempts >= attempts_max then clock_timestamp() end,
         -- 5 seconds, doubled each time, up to an hour; with jitter, so that what failed together does not come together.
         run_at = clock_timestamp() + least(5 * 2 ^ least(attempts - 1, 10), 3600) * (0.75 + random() / 2) * interval '1 second',
         claimed_by = null, lease_until = null, last_error = left(p_error, 1000)
   where id = p_id and claimed_by = p_who;
  return found;
end
$$;
comment on function chat.job_fail(bigint, text, text) is
  'Says that an attempt of p_who has failed, and why. It is due again after a while, or has failed if that was its last attempt. False when it is not his any more.';

create or replace function chat.housekeep(p_who text) returns table (kind text, rows_deleted bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  c_batch constant int := 1000;
  v_job record;
begin
  for v_job in
    select j.id, j.kind
      from chat.job_claim(array['housekeep.sessions', 'housekeep.tickets', 'housekeep.jobs'], p_who, interval '1 minute', 3) j
  loop
    kind := v_job.kind;
    begin
      case v_job.kind
        when 'housekeep.sessions' then
          with over as (
            select s.id from chat.session s where s.expires_at <= now() limit c_batch for update skip locked
          )
          delete from chat.session s using over o where s.id = o.id;
        when 'housekeep.tickets' then
          with over as (
            select t.ticket_hash from chat.stream_ticket t where t.expires_at <= now() for update skip locked
          )
          delete from chat.stream_ticket t using over o where t.ticket_hash = o.ticket_hash;
        when 'housekeep.jobs' then
          delete from chat.job j
           where j.ended_at <= now() - case j.state when 'done' then interval '1 day' else interval '30 days' end;
      end case;
      get diagnostics rows_deleted = row_count;
      perform chat.job_done(v_job.id, p_who);
    exception
      when others then
        rows_deleted := null;
        perform chat.job_fail(v_job.id, p_who, sqlerrm);
    end;
    return next;
  end loop;
end
$$;
comment on function chat.housekeep(text) is
  'Does what housekeeping is due, of all who call at once only one: removes sessions and tickets that have expired, and jobs that ended (done a day ago, failed 30 days). Tells which jobs it did and how many rows they deleted, null when one failed (chat.job says why). Call it every minute; p_who is the caller''s name.';
