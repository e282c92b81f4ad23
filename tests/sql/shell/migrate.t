#!/bin/bash
# Migrating: twice, twice at once, as other accounts, over a newer schema, and into a broken migration.
set -uo pipefail

cd "$(dirname "$0")/../../.." || exit
if [[ -z ${EMPTY_CLUSTER-} ]]; then
    # Roles belong to the whole server, so this wants one where there are none.
    EMPTY_CLUSTER=1 exec tests/sql/cluster -b -c fsync=off "$0"
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0

# ok DESCRIPTION COMMAND…: succeeds, and says why when not.
ok() {
    local description=$1 output
    shift
    count=$((count + 1))
    if output=$("$@" 2>&1); then
        echo "ok $count - $description"
    else
        echo "not ok $count - $description"
        echo "# ${output//$'\n'/$'\n# '}"
    fi
}

sql() {
    psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

is() {
    [[ $1 == "$2" ]] || { echo "$1, not $2" && return 1; }
}

fails() {
    local message=$1 output
    shift
    if output=$("$@" 2>&1); then echo "it worked" && return 1; fi
    [[ $output == *"$message"* ]] || { echo "$output" && return 1; }
}

# A whole life as each program, all of it one account when one is given.
works() {
    local database=$1 worker=$2 daemon=$3 admin=$4
    sql -d "$database" -U "$worker" <<'SQL' >/dev/null &&
select chat.api_register(l, 'hash', initcap(l), sha256(convert_to(l, 'UTF8')), 30, '') from unnest(array['alice', 'bob']) l;
select chat.api_dialog_open(sha256('alice'), (body::json #>> '{items,0,id}')::bigint) from chat.api_user_search(sha256('alice'), 'bob', null, null);
select chat.api_message_send(sha256('alice'), (body::json #>> '{rooms,0,id}')::bigint, 'hello', null, null, null, null) from chat.api_snapshot(sha256('alice'));
select 1 / (body::json #>> '{unread,total}')::int from chat.api_snapshot(sha256('bob'));
select 1 / (json_array_length(body::json -> 'events') + 1) from chat.api_events(sha256('bob'), null);
SQL
        sql -d "$database" -U "$daemon" <<'SQL' >/dev/null &&
select 1 / count(*) from chat.feed_sessions(array[1], array[sha256('bob')]);
select 1 / count(*) from chat.feed_read(null);
select chat.event_prune('1 hour'), chat.epoch_begin();
SQL
        sql -d "$database" -U "$admin" <<'SQL' >/dev/null
insert into chat.message (room_id, sender_id, body) select room_id, user_id, 'from the console' from chat.member limit 1;
select 1 / count(*) from chat.message where body = 'from the console';
SQL
}

twice_at_once() {
    local one two status=0
    sql -d postgres -c 'create database pair'
    sql/migrate "dbname=pair" >"$scratch/one" 2>&1 &
    one=$!
    sql/migrate "dbname=pair" >"$scratch/two" 2>&1 &
    two=$!
    wait "$one" || status=1
    wait "$two" || status=1
    cat "$scratch/one" "$scratch/two"
    ((status == 0)) && is "$(sql -d pair -c 'select count(*) from chat.migration')" \
        "$(find sql/migrations -name '[0-9]*.sql' | wc -l)"
}

unchanged_by_repeating() {
    pg_dump pair >"$scratch/before" && sql/migrate "dbname=pair" && pg_dump pair >"$scratch/after" &&
        diff -I '^.\(un\)\?restrict ' "$scratch/before" "$scratch/after"
}

broken_tree() {
    cp -R sql "$scratch/sql"
    printf 'create table chat.half_done ();\nselect 1 / 0;\n' >"$scratch/sql/migrations/9998_broken.sql"
    "$scratch/sql/migrate" "dbname=pair"
}

# First, where no roles are: an account without rights beyond its database.
sql -d postgres -c 'create role single login' -c 'create database single owner single'
ok 'an account that may not create roles migrates' sql/migrate "dbname=single user=single"
ok 'and again' sql/migrate "dbname=single user=single"
ok 'everything works with that one account' works single single single single
ok 'it made no roles' is "$(sql -d postgres -c "select count(*) from pg_roles where rolname ~ '^confab'")" 0
ok 'everything belongs to it' is "$(sql -d single -c "select count(*) from pg_class where relnamespace = 'chat'::regnamespace and relowner <> 'single'::regrole")" 0

ok 'two runners at once on an empty database' twice_at_once
ok 'which works' works pair confab_worker confab_daemon confab_admin
ok 'migrating again changes nothing' unchanged_by_repeating

sql -d postgres -c 'create role neighbour login' -c 'create database neighbour owner neighbour'
ok 'beside another installation, whose roles are not for it, an account migrates' sql/migrate "dbname=neighbour user=neighbour"
ok 'and again' sql/migrate "dbname=neighbour user=neighbour"
ok 'and works' works neighbour neighbour neighbour neighbour
ok 'to the other''s roles its data is closed' fails 'permission denied' sql -d neighbour -U confab_admin -c 'select from chat.person'

sql -d postgres -c 'create role creator login createrole' -c 'create database creator owner creator'
ok 'an account that may create roles, but is no superuser, migrates' sql/migrate "dbname=creator user=creator"
ok 'and again' sql/migrate "dbname=creator user=creator"
ok 'and the roles work' works creator confab_worker confab_daemon confab_admin

sql -d pair -c "insert into chat.migration values (9999, 'of the future')"
ok 'an older release refuses a newer schema' fails 'newer than the release' sql/migrate "dbname=pair"
sql -d pair -c 'delete from chat.migration where version = 9999'
ok 'a broken migration fails' fails 'division by zero' broken_tree
ok 'and leaves nothing behind' is "$(sql -d pair -c "select to_regclass('chat.half_done') is null and not exists (select from chat.migration where version = 9998)")" t
ok 'no database is an error' fails 'does not exist' sql/migrate 'dbname=none'
ok 'an unknown option is an error' fails usage sql/migrate --now
ok 'help is not' sql/migrate --help
echo "1..$count"
