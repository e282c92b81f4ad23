-- Tickets: a stream opened by an address alone, which may be logged on its way. Hence once, soon, and never again.

create or replace function chat.feed_tickets(p_ord int[], p_ticket bytea[])
returns table (ord int, token_hash bytea)
language sql security definer set search_path = pg_catalog, pg_temp
as $$
  with asked as (
    select min(a.ord) as ord, a.ticket
      from unnest(p_ord, p_ticket) a (ord, ticket)
     group by a.ticket
  ), found as (
    -- Who does not get the lock came second: there is nothing to wait for.
    select a.ord, t.ticket_hash
      from asked a join chat.stream_ticket t on t.ticket_hash = a.ticket
       for update of t skip locked
  ), redeemed as (
    delete from chat.stream_ticket t
     using found f
     where t.ticket_hash = f.ticket_hash
    returning f.ord, t.session_id, t.expires_at
  )
  select r.ord, s.token_hash
    from redeemed r join chat.session s on s.id = r.session_id
   where r.expires_at > now()
$$;
comment on function chat.feed_tickets(int[], bytea[]) is
  'Redeems tickets, by their hashes: of each that is good the token hash of its session, with its ord. No row for one that is none, or has expired, or was redeemed before, be it by another daemon at this moment.';
