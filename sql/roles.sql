-- Who may do what. Applied last and every time. Where the account may not create roles (shared
-- hosting), everything stays with the account: all works, only the walls between the programs are missing.

do $$
declare
  v_super constant boolean := (select rolsuper from pg_roles where rolname = current_user);
  v_create constant boolean := (select rolsuper or rolcreaterole from pg_roles where rolname = current_user);
  v_role text;
  v_object record;
begin
  foreach v_role in array array['confab_owner', 'confab_worker', 'confab_daemon', 'confab_admin'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      if not v_create then
        raise notice 'no right to create roles: the schema stays with %', current_user;
        return;
      end if;
      execute format('create role %I %s', v_role, case when v_role = 'confab_owner' then 'nologin' else 'login' end);
    end if;
  end loop;
  if not v_super then
    begin
      execute format('grant confab_owner to %I', current_user);
    exception
      when insufficient_privilege then
        -- Another installation's roles, in another database of this server.
        if not pg_has_role(current_user, 'confab_owner', 'member') then
          raise notice 'no right to use the role confab_owner: the schema stays with %', current_user;
          return;
        end if;
    end;
  end if;

  -- Ownership first: security definer functions act as the owner, who cannot log in.
  execute format('grant create on database %I to confab_owner', current_database());
  alter schema chat owner to confab_owner; -- before the tables: a new owner must be allowed to create in it
  for v_object in
    select case when c.relkind = 'S' then 'sequence' when c.relkind = 'v' then 'view'
                when c.relkind = 'c' then 'type' else 'table' end as what,
           c.oid::regclass::text as name
      from pg_class c
     where c.relnamespace = 'chat'::regnamespace and c.relkind in ('r', 'p', 'v', 'S', 'c')
       and c.relowner <> 'confab_owner'::regrole
       -- sequences of columns go with their tables
       and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i') and c.relkind = 'S')
    union all
    select 'routine', p.oid::regprocedure::text
      from pg_proc p
     where p.pronamespace = 'chat'::regnamespace and p.proowner <> 'confab_owner'::regrole
  loop
    execute format('alter %s %s owner to confab_owner', v_object.what, v_object.name);
  end loop;

  -- Nothing by default, then each program's functions, then the administrator's tables.
  revoke all on all tables in schema chat from public, confab_worker, confab_daemon, confab_admin;
  revoke all on all sequences in schema chat from public, confab_worker, confab_daemon, confab_admin;
  revoke all on all routines in schema chat from public, confab_worker, confab_daemon, confab_admin;
  grant usage on schema chat to confab_worker, confab_daemon, confab_admin;
  for v_object in
    select p.oid::regprocedure::text as name,
           case when p.proname like 'api\_%' or p.proname in ('login_lookup', 'ring') then 'confab_worker'
                when p.proname like 'feed\_%'
                  or p.proname in ('event_prune', 'ring_arm', 'ring_disarm', 'job_claim', 'job_done', 'job_fail')
                  then 'confab_daemon'
                when p.proname in ('epoch_begin', 'housekeep') then 'confab_worker, confab_daemon'
           end as program
      from pg_proc p
     where p.pronamespace = 'chat'::regnamespace
  loop
    execute format('grant execute on routine %s to %s', v_object.name, concat_ws(', ', v_object.program, 'confab_admin'));
  end loop;
  grant select on all tables in schema chat to confab_admin;
  grant insert, delete on chat.session, chat.member to confab_admin;
  grant insert on chat.message to confab_admin;
  grant insert, update on chat.room to confab_admin;
  grant insert, update on chat.person to confab_admin;
  grant usage on all sequences in schema chat to confab_admin;
end
$$;
