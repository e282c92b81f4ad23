# Confab: `make help` lists what can be made.
#
# Two variants are built side by side: build/release (what runs) and build/san (AddressSanitizer and
# UndefinedBehaviorSanitizer). SAN=1 makes build/san the one that `all`, `run` and the tests take.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
V       := $(if $(SAN),san,release)

CPPFLAGS += -D_GNU_SOURCE -DCONFAB_VERSION='"$(VERSION)"' -I.
CFLAGS   ?= -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
C_FLAGS  := -std=c11 $(WARNINGS) -fvisibility=hidden

release_CFLAGS  := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
release_LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
san_CFLAGS      := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
san_LDFLAGS     := -fsanitize=address,undefined -Wl,--as-needed

LIBRARIES := fcgi libpq jansson libsodium libevent_core libcrypto
LIB_CFLAGS  := $(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)
FCGI_LDLIBS := $(shell pkg-config --libs fcgi libpq jansson libsodium 2>/dev/null)
PUSH_LDLIBS := $(shell pkg-config --libs libpq jansson libsodium libevent_core libcrypto 2>/dev/null)
UNIT_LDLIBS := $(FCGI_LDLIBS) $(PUSH_LDLIBS) $(shell pkg-config --libs cmocka 2>/dev/null)

# ---- Sources, by hand: a stray file is not linked ----

COMMON_SRC := common/buf.c common/conf.c common/err.c common/ip.c common/log.c common/map.c \
	common/settings.c common/start.c common/str.c common/token.c common/utf8.c

FCGI_SRC := fcgi-app/main.c fcgi-app/arena.c fcgi-app/auth.c fcgi-app/db.c fcgi-app/exchange.c \
	fcgi-app/gateway.c fcgi-app/input.c fcgi-app/password.c fcgi-app/problem.c fcgi-app/req.c \
	fcgi-app/resp.c fcgi-app/route.c fcgi-app/stmts.c fcgi-app/users.c fcgi-app/session.c \
	fcgi-app/rooms.c fcgi-app/messages.c fcgi-app/snapshot.c fcgi-app/server.c

PUSH_SRC := push-daemon/main.c push-daemon/address.c push-daemon/admin.c push-daemon/answer.c \
	push-daemon/backfill.c push-daemon/bound.c push-daemon/chores.c push-daemon/clock.c \
	push-daemon/conn.c push-daemon/conn_http.c push-daemon/conn_poll.c push-daemon/conn_sse.c \
	push-daemon/conn_ws.c push-daemon/conns.c push-daemon/cursor.c push-daemon/dead.c \
	push-daemon/feed.c push-daemon/filter.c push-daemon/handshake.c push-daemon/http1.c \
	push-daemon/hub.c push-daemon/listener.c push-daemon/metrics.c push-daemon/msg.c push-daemon/op.c \
	push-daemon/ops.c push-daemon/pack.c push-daemon/pg.c push-daemon/presence.c push-daemon/queue.c \
	push-daemon/reason.c push-daemon/reload.c push-daemon/ring.c push-daemon/round.c \
	push-daemon/said.c push-daemon/session.c push-daemon/signals.c push-daemon/sse.c \
	push-daemon/stats.c push-daemon/stmts.c push-daemon/supervisor.c push-daemon/takeover.c \
	push-daemon/tickets.c push-daemon/wheel.c push-daemon/work.c push-daemon/ws.c \
	push-daemon/ws_upgrade.c

# Each test of tests/unit/test_NAME.c is linked with the modules of MODULES_NAME.
UNIT_TESTS := arena auth buf conf err input log map memory password req resp route str token utf8

MODULES_buf    := $(COMMON_SRC)
MODULES_conf   := $(COMMON_SRC)
MODULES_err    := $(COMMON_SRC)
MODULES_log    := $(COMMON_SRC)
MODULES_map    := $(COMMON_SRC)
MODULES_str    := $(COMMON_SRC)
MODULES_token  := $(COMMON_SRC)
MODULES_utf8   := $(COMMON_SRC)

FCGI_MODULES := $(filter-out fcgi-app/main.c,$(FCGI_SRC)) $(COMMON_SRC)

MODULES_arena    := fcgi-app/arena.c common/str.c common/utf8.c
MODULES_auth     := $(FCGI_MODULES)
MODULES_input    := $(FCGI_MODULES)
MODULES_memory   := $(FCGI_MODULES) push-daemon/filter.c push-daemon/hub.c push-daemon/ws.c
MODULES_password := $(FCGI_MODULES)
MODULES_req      := tests/unit/cgi.c $(FCGI_MODULES)
MODULES_resp     := tests/unit/cgi.c $(FCGI_MODULES)
MODULES_route    := $(FCGI_MODULES)

PUSH_MODULES := $(filter-out push-daemon/main.c,$(PUSH_SRC)) $(COMMON_SRC)

UNIT_TESTS += address bound conns cursor feed http1 hub op presence queue ring signals sse takeover wheel ws ws_upgrade
MODULES_address := $(PUSH_MODULES)
MODULES_bound  := $(PUSH_MODULES)
MODULES_conns  := tests/unit/clients.c $(PUSH_MODULES)
MODULES_cursor := $(PUSH_MODULES)
# They are the database and the clock themselves.
FAKED_MODULES  := tests/unit/fake_pg.c $(filter-out push-daemon/pg.c push-daemon/clock.c,$(PUSH_MODULES))
MODULES_feed   := tests/unit/clients.c $(FAKED_MODULES)
MODULES_http1  := $(PUSH_MODULES)
MODULES_hub    := $(PUSH_MODULES)
MODULES_op     := $(PUSH_MODULES)
MODULES_presence := $(FAKED_MODULES)
MODULES_queue  := $(PUSH_MODULES)
MODULES_ring   := $(PUSH_MODULES)
MODULES_signals := $(FAKED_MODULES)
MODULES_sse    := $(PUSH_MODULES)
MODULES_takeover := $(PUSH_MODULES)
MODULES_wheel  := $(PUSH_MODULES)
MODULES_ws     := $(PUSH_MODULES)
MODULES_ws_upgrade := $(PUSH_MODULES)

# It makes every allocation fail in turn.
build/san/tests/unit/test_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strndup

# ---- Products ----

PROGRAMS := $(if $(FCGI_SRC),confab.fcgi) $(if $(PUSH_SRC),confab-pushd)

.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: help all run check deps unit fuzz sql-test integration browser soak crowd valgrind lint bench install clean
.DEFAULT_GOAL := all

all: $(PROGRAMS:%=build/$(V)/%) ## build both programs (SAN=1: with sanitizers)
	@:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Variables: SAN=1, PORT=8080, ADDRESS=127.0.0.1, FRONT=apache|lighttpd, CONFAB_<SETTING>=…, PREFIX, DESTDIR"

build/release/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) $(C_FLAGS) $(release_CFLAGS) -MMD -MP -c -o $@ $<

build/san/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS) $(C_FLAGS) $(san_CFLAGS) -MMD -MP -c -o $@ $<

build/release/confab.fcgi build/san/confab.fcgi: build/%/confab.fcgi: \
		$$(addprefix build/$$*/,$$(FCGI_SRC:.c=.o) $$(COMMON_SRC:.c=.o))
	$(CC) $($*_LDFLAGS) $(LDFLAGS) -o $@ $^ $(FCGI_LDLIBS)

build/release/confab-pushd build/san/confab-pushd: build/%/confab-pushd: \
		$$(addprefix build/$$*/,$$(PUSH_SRC:.c=.o) $$(COMMON_SRC:.c=.o))
	$(CC) $($*_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PUSH_LDLIBS)

UNIT_PROGRAMS := $(UNIT_TESTS:%=build/san/tests/unit/test_%)

$(UNIT_PROGRAMS): build/san/tests/unit/test_%: build/san/tests/unit/test_%.o \
		$$(addprefix build/san/,$$(MODULES_$$*:.c=.o))
	$(CC) $(san_LDFLAGS) $(LDFLAGS) -o $@ $^ $(UNIT_LDLIBS)

# Each fuzzer of tests/fuzz/fuzz_NAME.c is linked with FUZZED_NAME; libFuzzer comes with clang.
FUZZERS := conf cursor http1 rest ws
FUZZ_S  ?= 3

FUZZED_conf   := $(COMMON_SRC)
FUZZED_cursor := push-daemon/cursor.c $(COMMON_SRC)
FUZZED_http1  := push-daemon/address.c push-daemon/http1.c push-daemon/ws_upgrade.c $(COMMON_SRC)
FUZZED_rest   := $(FCGI_MODULES)
FUZZED_ws     := push-daemon/ws.c $(COMMON_SRC)

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $$(FUZZED_$$*)
	@mkdir -p $(@D)
	clang $(CPPFLAGS) $(LIB_CFLAGS) -g -O1 $(C_FLAGS) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -o $@ $^ $(UNIT_LDLIBS)

# What the benchmarks are made with.
BENCH_LOAD  := tests/bench/load.c tests/bench/hist.c tests/bench/ledger.c tests/bench/net.c \
	tests/bench/options.c tests/bench/readers.c tests/bench/writers.c
BENCH_IDEAL := tests/bench/ideal.c
BENCH_PROGRAMS := build/bench/load build/bench/ideal build/bench/slow_sync.so

build/bench/load: $(patsubst %.c,build/release/%.o,$(BENCH_LOAD) $(COMMON_SRC))
build/bench/ideal: $(patsubst %.c,build/release/%.o,$(BENCH_IDEAL) $(COMMON_SRC))
build/bench/load build/bench/ideal:
	@mkdir -p $(@D)
	$(CC) $(release_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PUSH_LDLIBS)

build/bench/slow_sync.so: tests/bench/slow_sync.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(C_FLAGS) -O2 -fPIC -shared -o $@ $<

-include $(patsubst %.c,build/release/%.d,$(COMMON_SRC) $(FCGI_SRC) $(PUSH_SRC) $(BENCH_LOAD) $(BENCH_IDEAL))
-include $(patsubst %.c,build/san/%.d,$(COMMON_SRC) $(FCGI_SRC) $(PUSH_SRC) $(wildcard tests/unit/*.c))

# ---- Running ----

FRONT ?= apache

# In two steps, since the libraries' flags are asked of pkg-config when make starts.
run: ## install what is missing, build, and serve on http://localhost:8080 until Ctrl-C
	@FRONT=$(FRONT) tools/site check
	@tools/install-deps run $(filter lighttpd,$(FRONT))
	@$(MAKE) --no-print-directory all
	@BUILD=build/$(V) FRONT=$(FRONT) exec tools/site run

# ---- Tests ----

check: deps ## everything below; what .ci/run runs
	@$(MAKE) --no-print-directory lint unit fuzz sql-test integration browser
	@echo "make check: all passed"

deps: tests/node_modules/.package-lock.json
	@tools/install-deps check

# npm writes this file last, so it is there only when the packages are.
tests/node_modules/.package-lock.json: tests/package-lock.json tests/package.json
	@tools/install-deps check
	cd tests && npm ci
	@touch $@

unit: $(UNIT_PROGRAMS) ## C unit tests, with sanitizers
	@tests/lib/run-unit $(UNIT_PROGRAMS)

fuzz: deps ## parsers against bytes that nobody thought of (FUZZ_S seconds each)
	@$(MAKE) --no-print-directory $(FUZZERS:%=build/fuzz/fuzz_%)
	@tests/lib/run-fuzz $(FUZZ_S) $(FUZZERS)

sql-test: deps ## the schema's own tests, in a private PostgreSQL
	@tests/sql/run

# Some tests take the sanitizers' programs of their own accord.
integration: deps all $(PROGRAMS:%=build/san/%) ## the real programs behind the real servers (SAN=1: with sanitizers)
	@BUILD=build/$(V) tests/lib/run-node lib integration

browser: deps all ## Chromium against the running site
	@BUILD=build/$(V) tests/lib/run-node browser

# Not a part of check. SEED=… repeats a round that it told.
SOAK_S ?= 600
soak: deps all ## faults at random, with long absences (SOAK_S seconds, SEED)
	@BUILD=build/$(V) SOAK_S=$(SOAK_S) SEED=$(SEED) TEST_TIMEOUT_S=$$(($(SOAK_S) + 900)) tests/lib/run-node soak

# Nor is this: ten thousand readers take a few minutes.
crowd: deps all ## 10,000 readers of one room, some of whom stall or come and go
	@ulimit -n "$$(ulimit -Hn)" && BUILD=build/$(V) tests/lib/run-node crowd

# Nor this, which is some twenty times slower than without.
VALGRIND_TESTS ?= stream stream-life ws-conformance transports poll receipts presence operation daemons rest
valgrind: deps all ## the programs under valgrind in some of the integration tests (VALGRIND_TESTS)
	@tools/install-deps valgrind
	@tests/lib/run-valgrind $(VALGRIND_TESTS:%=tests/integration/%.test.js)

lint: deps ## formatting, static analysis and the house rules
	@tests/lint/lint

# Among the peers is a web server, which nothing else needs.
bench: deps build/release/confab.fcgi build/release/confab-pushd $(BENCH_PROGRAMS) ## figures beside peers' (BENCH=fanout: one part of them)
	@tools/install-deps bench
	@BUILD=build/release tests/bench/run $(BENCH)

# ---- Installing ----

LIBEXEC := $(DESTDIR)$(PREFIX)/lib/confab
SHARE   := $(DESTDIR)$(PREFIX)/share/confab
MAN     := $(DESTDIR)$(PREFIX)/share/man

install: all ## programs, SQL, web pages, manuals and samples below PREFIX (and DESTDIR)
	install -d "$(LIBEXEC)" "$(SHARE)" "$(MAN)/man5" "$(MAN)/man8"
	install -m 755 $(PROGRAMS:%=build/$(V)/%) "$(LIBEXEC)"
	cp -R sql htdocs deploy apache.conf lighttpd.conf "$(SHARE)"
	install -m 644 docs/*.5 "$(MAN)/man5"
	install -m 644 docs/*.8 "$(MAN)/man8"
	env -i build/$(V)/confab-pushd -c /dev/null -T > "$(SHARE)/confab.conf"
	chmod -R u=rwX,go=rX "$(SHARE)"

clean: ## remove what was built (the site's data in run/ stays)
	rm -rf build
