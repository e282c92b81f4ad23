-- House rules that the catalogue can check.
begin;
\ir ../fixture.psql
select no_plan();

select is_empty(
  $$select c.oid::regclass from pg_class c
     where c.relnamespace = 'chat'::regnamespace and c.relkind in ('r', 'v') and obj_description(c.oid, 'pg_class') is null$$,
  'every table and view has a comment');
select is_empty(
  $$select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'chat'::regnamespace and obj_description(p.oid, 'pg_proc') is null$$,
  'every function has a comment');
select is_empty(
  $$select c.conrelid::regclass, c.conname from pg_constraint c
     where c.connamespace = 'chat'::regnamespace and c.contype = 'f' and c.confdeltype = 'a'$$,
  'every foreign key says what a deletion does');
select is_empty(
  $$select c.conrelid::regclass, c.conname from pg_constraint c
     where c.connamespace = 'chat'::regnamespace and c.contype = 'f'
       and not exists (select from pg_index i
                        where i.indrelid = c.conrelid and i.indpred is null
                          and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)$$,
  'every foreign key has an index');
select is_empty(
  $$select a.attrelid::regclass, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'chat'::regnamespace and c.relkind = 'r' and a.atttypid in ('timestamp'::regtype, 'varchar'::regtype, 'int'::regtype)
       and (c.relname, a.attname) <> ('migration', 'version')$$,
  'times have a zone, texts no length, keys are bigint');
select is_empty(
  $$select p.oid::regprocedure, a from pg_proc p, unnest(p.proargnames) a
     where p.pronamespace = 'chat'::regnamespace and p.proargmodes is null and a !~ '^p_'$$,
  'parameters are called p_…');
select is((select seqcache from pg_sequence where seqrelid = 'chat.event_id_seq'::regclass), 1::bigint,
  'event ids are cached by nobody: their order in a room is the order of its lock');
select is_empty(
  $$select p.oid::regprocedure from pg_proc p
     where p.pronamespace = 'chat'::regnamespace and p.provolatile = 'v'
       and p.proname ~ '^(feed_(read|sessions|replay|backfill)$|cursor_|event_after|event_for|api_(events|snapshot)$)'$$,
  'nothing that makes or reads by a cursor is volatile');

select is_empty(
  $$select tgname from pg_trigger where tgrelid in ('chat.event'::regclass, 'chat.message'::regclass) and tgtype & 3 = 1 and not tgisinternal$$,
  'what follows an INSERT of messages or events is done once a statement');

select finish();
rollback;
