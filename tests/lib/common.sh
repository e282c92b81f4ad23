# Sourced by the runners of tests: a folder for their sites, emptied whatever ends them, and a prepared database
# which the sites copy instead of making their own.
# shellcheck shell=bash

ROOT=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
SITE_TMP=$(mktemp -d "${TMPDIR:-/tmp}/confab-tests-XXXXXX")
export SITE_TMP
# Started by root, the servers are another user, who must get through.
chmod 711 "$SITE_TMP"

# Settings of the caller's own site, or database, are not the tests'.
unset "${!CONFAB_@}" "${!PG@}"

remove_sites() {
    local dir
    for dir in "$SITE_TMP"/template "$SITE_TMP"/*/site; do
        if [[ -d $dir ]]; then "$ROOT/tools/site" remove "$dir" || true; fi
    done
    rm -rf "$SITE_TMP"
}
trap remove_sites EXIT
trap 'exit 130' INT TERM

make_template() {
    "$ROOT/tools/site" prepare "$SITE_TMP/template" >"$SITE_TMP/template.log" 2>&1 || {
        cat "$SITE_TMP/template.log" >&2
        return 1
    }
    export SITE_TEMPLATE=$SITE_TMP/template
}
