#!/bin/bash
# The schema that the migrations lead to is the one kept in tests/sql/schema.sql.
set -uo pipefail

cd "$(dirname "$0")/../../.." || exit
echo 1..1
if difference=$(diff -u tests/sql/schema.sql <(tests/sql/dump-schema)); then
    echo "ok 1 - the migrated schema is tests/sql/schema.sql"
else
    echo "not ok 1 - the migrated schema is tests/sql/schema.sql; if it should not be: tests/sql/cluster tests/sql/dump-schema > tests/sql/schema.sql"
    echo "# ${difference//$'\n'/$'\n# '}"
fi
