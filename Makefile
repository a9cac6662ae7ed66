# mta-sts-server. `make run` and `make check` are all that a fresh Debian machine needs; `make help` lists the rest.
#   T=name     only tests whose name holds it          SAN=1      with address and undefined-behaviour sanitizers
#   MBEDTLS=system|static, MBEDTLS_TARBALL=file        where mbedTLS comes from (packaging/mbedtls/find)
#   ACCELERATOR=openssl|none                           what computes its curves, hashes and ciphers (packaging/mbedtls/accelerator)

B := build
ifdef SAN
O ?= $(B)/san
else
O ?= $(B)
endif

PREFIX ?= /usr/local
CC ?= cc
PKG_CONFIG ?= pkg-config

VERSION := 0.1.0
LIBRARIES := libuv yaml-0.1 lmdb libidn2 libseccomp libcares

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
ifdef CI
WARNINGS += -Werror
endif
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection=full
endif
ifdef SAN
FUZZER := $(if $(FUZZING),-fsanitize=fuzzer-no-link)
# the TLS library to be fuzzed: without what makes its arithmetic ten times slower
SANITIZE_MBEDTLS := $(if $(FUZZING),-fsanitize=address -fsanitize-coverage=inline-8bit-counters -fsanitize-coverage=pc-table,-fsanitize=address,undefined)
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined $(FUZZER)
LDFLAGS_SAN := -fsanitize=address,undefined
MBEDTLS_EXTRA_CFLAGS := $(SANITIZE_MBEDTLS) -U_FORTIFY_SOURCE -g
else
OPTIMISE := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

CFLAGS ?=
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -DMTA_STS_VERSION='"$(VERSION)"' $(OPTIMISE) $(WARNINGS) $(HARDENING) -ffunction-sections \
	-fdata-sections -MMD -MP $(MBEDTLS_CFLAGS) $(CFLAGS)
LDFLAGS ?=
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed $(LDFLAGS_SAN) $(LDFLAGS)
LIBS = $(MBEDTLS_LIBS) $(shell $(PKG_CONFIG) --libs $(LIBRARIES))

SOURCES := $(wildcard base/*.c config/*.c config/format/*.c certs/*.c server/*/*.c)
OBJECTS := $(SOURCES:%.c=$(O)/obj/%.o)
UNIT = $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
FAULT := $(patsubst tests/fault/%.c,%,$(wildcard tests/fault/fault_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all run check unit-tests plain replays faults lint format copies deps deps-check fuzz-deps fuzz coverage bench-deps \
	peer-deps bench bench-diff bench-scale soak install clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/mta-sts-server

help:
	@echo 'make            build/mta-sts-server'
	@echo 'make run        a server on 127.0.0.1:8443 with the sample configuration'
	@echo 'make check      all tests; T=name only some, SAN=1 with sanitizers'
	@echo 'make fuzz       T=hello S=60: fuzz one target (clang)'
	@echo 'make coverage   lines of the parsers that the fuzz corpora reach'
	@echo 'make bench-scale  N=1000000: what a thousand to a million tenants cost; 20 minutes'
	@echo 'make bench      a handshake beside nginx and Caddy: CPU, rate, latency, memory; minutes'
	@echo 'make bench-diff   records --diff for 100,000 domains against a resolver of our own'
	@echo 'make soak       honest clients among 10,000 stalled ones; memory over 200,000 requests; minutes'
	@echo 'make lint       formatting, arrows, forbidden functions, copies printed from tables'
	@echo 'make install    DESTDIR= PREFIX=/usr/local'

# --- dependencies ---------------------------------------------------------------------------------------------

DEPS = MBEDTLS='$(MBEDTLS)' MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' ACCELERATOR='$(ACCELERATOR)' packaging/deps

deps:
	@$(DEPS) build

deps-check:
	@$(DEPS) check

bench-deps:
	@$(DEPS) bench

peer-deps:
	@$(DEPS) peers

fuzz-deps:
	@$(DEPS) fuzz

# Goals that compile ask once which mbedTLS there is; the answer is a file of make assignments.
ifneq ($(filter-out deps deps-check fuzz-deps bench-deps peer-deps clean help run check fuzz coverage bench bench-diff bench-scale soak format,$(or $(MAKECMDGOALS),all)),)
-include $(O)/mbedtls.mk
endif

# what was chosen last: another choice asks anew
MBEDTLS_CHOICE := $(MBEDTLS) $(MBEDTLS_TARBALL) $(ACCELERATOR)
$(O)/mbedtls.choice: FORCE
	@mkdir -p $(@D)
	@echo '$(MBEDTLS_CHOICE)' | cmp -s - $@ || echo '$(MBEDTLS_CHOICE)' > $@

$(O)/mbedtls.mk: packaging/mbedtls/find $(wildcard packaging/mbedtls/accelerator/*.c) $(O)/mbedtls.choice
	@mkdir -p $(@D)
	@MBEDTLS='$(MBEDTLS)' MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' ACCELERATOR='$(ACCELERATOR)' CC='$(CC)' \
		packaging/mbedtls/find $(O)/mbedtls > $@

$(O)/mbedtls/stamp: $(O)/mbedtls.mk $(wildcard packaging/mbedtls/build packaging/mbedtls/*.h packaging/mbedtls/*.patch packaging/mbedtls/accelerator/*)
	@MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' MBEDTLS_EXTRA_CFLAGS='$(MBEDTLS_EXTRA_CFLAGS)' ACCELERATOR='$(MBEDTLS_ACCELERATOR)' \
		CC='$(CC)' packaging/mbedtls/build $(O)/mbedtls

MBEDTLS_STAMP = $(if $(MBEDTLS_DIR),$(O)/mbedtls/stamp)

# --- objects --------------------------------------------------------------------------------------------------

# the flags of the last build: a change of them rebuilds
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(CFLAGS_ALL) $(LDFLAGS_ALL))' | cmp -s - $@ || echo '$(CC) $(subst ','\'',$(CFLAGS_ALL) $(LDFLAGS_ALL))' > $@
FORCE:

$(O)/obj/%.o: %.c $(O)/flags $(O)/mbedtls.mk $(MBEDTLS_STAMP)
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) -c $< -o $@

$(O)/mta-sts-server: $(O)/obj/server/main.o $(OBJECTS)
	@echo '  LD  $@'
	@$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

$(O)/libserver.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

# --- tests ----------------------------------------------------------------------------------------------------

TEST_CFLAGS := -Wno-missing-prototypes -Wno-conversion

$(O)/tests/%: tests/unit/%.c $(O)/libserver.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MF $(O)/obj/$(@F).d $(LDFLAGS_ALL) $< $(O)/libserver.a $(LIBS) -lcmocka -o $@

$(O)/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(O)/libserver.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MF $(O)/obj/$(@F).d $(LDFLAGS_ALL) $< tests/fuzz/replay.c $(O)/libserver.a $(LIBS) -o $@

$(O)/fault/%: tests/fault/%.c tests/fault/fault.c tests/fault/failing.c $(wildcard tests/fault/*.h) $(O)/libserver.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MF $(O)/obj/$(@F).d $(LDFLAGS_ALL) $(filter %.c,$^) $(O)/libserver.a $(LIBS) -o $@

unit-tests: $(UNIT)
replays: $(FUZZ:fuzz_%=$(O)/fuzz/replay_%)
faults: $(FAULT:%=$(O)/fault/%)

# What is tested as built without the accelerator: see tests/run.
plain: all $(patsubst %,$(O)/tests/test_%,crypto import mbed session)

# What is built is built before any test runs. The corpora are always replayed under sanitizers.
check: deps-check
	@$(MAKE) --no-print-directory all unit-tests
	@$(MAKE) --no-print-directory SAN=1 replays faults
	@$(MAKE) --no-print-directory O=$(B)/plain SAN= ACCELERATOR=none plain
	@tests/run $(O) $(B)/san $(B)/plain '$(T)'

run: deps
	@$(MAKE) --no-print-directory all
	@exec $(O)/mta-sts-server -c mta-sts-server.yaml serve --dev

lint: all
	@tests/lint/arrows && tests/lint/words && tests/lint/copies $(O)/mta-sts-server
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

# The sample file and the manual's section that are printed from the key table.
copies: all
	@tests/lint/copies $(O)/mta-sts-server write

# make fuzz T=hello S=60: clang's libFuzzer over one target; new findings stay in build/fuzz.
S ?= 60
fuzz: fuzz-deps
	@test -e 'tests/fuzz/fuzz_$(T).c' || { echo 'make fuzz T=one of: $(FUZZ:fuzz_%=%)'; exit 2; }
	@$(MAKE) --no-print-directory O=$(B)/clang CC=clang SAN=1 FUZZING=1 $(B)/clang/fuzz/$(T)
	@mkdir -p $(B)/fuzz/$(T)
	@$(B)/clang/fuzz/$(T) -max_total_time=$(S) -timeout=60 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix=$(B)/fuzz/$(T)- $(B)/fuzz/$(T) tests/fuzz/corpus/$(T)

$(O)/fuzz/%: tests/fuzz/fuzz_%.c $(O)/libserver.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -fsanitize=fuzzer -MF $(O)/obj/fuzz_$*.d $(LDFLAGS_ALL) $< $(O)/libserver.a $(LIBS) -o $@

# make coverage: what of the parsers the corpora alone reach; fails below 95 % of lines.
coverage: deps-check
	@$(MAKE) --no-print-directory O=$(B)/coverage SAN= CFLAGS='-O0 --coverage -U_FORTIFY_SOURCE' LDFLAGS=--coverage replays
	@tests/fuzz/coverage $(B)/coverage

# make soak: tests/bench/soak says what it measures and what shortens it; KEEP=1 puts the tables into RESULTS.md.
soak: bench-deps
	@$(MAKE) --no-print-directory all $(O)/bench/load $(O)/bench/stall
	@tests/bench/soak $(O) '$(KEEP)'

# make bench: tests/bench/handshake says what it measures and what shortens it; ROUNDS=5, KEEP=1 as above.
bench: peer-deps
	@$(MAKE) --no-print-directory all $(O)/bench/load $(O)/bench/stall $(O)/bench/bare $(O)/bench/heap.so
	@ROUNDS=$(or $(ROUNDS),5) tests/bench/handshake $(O) '$(KEEP)'

# make bench-scale: tests/bench/scale says what it measures; N=1000000: the largest set; KEEP=1 as above.
bench-scale: bench-deps
	@$(MAKE) --no-print-directory all $(O)/bench/ask $(O)/bench/mint
	@tests/bench/scale $(O) '$(N)' '$(KEEP)'

# make bench-diff: tests/bench/diff says what it measures; KEEP=1 as above.
bench-diff: bench-deps
	@$(MAKE) --no-print-directory all $(O)/bench/resolve
	@tests/bench/diff $(O) '$(KEEP)'

$(O)/bench/heap.so: tests/bench/heap.c
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) -std=c11 -D_GNU_SOURCE $(OPTIMISE) $(WARNINGS) -Wno-missing-prototypes $(CFLAGS) -fPIC -shared $(LDFLAGS) $< -o $@

$(O)/bench/%: tests/bench/%.c tests/bench/peer.c tests/bench/peer.h
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) -std=c11 -D_GNU_SOURCE $(OPTIMISE) $(WARNINGS) $(HARDENING) $(CFLAGS) -pie $(LDFLAGS) $(filter %.c,$^) \
		-lssl -lcrypto -lpthread -o $@

# --- installation -----------------------------------------------------------------------------------------------

install: all
	install -D -m 755 -s $(O)/mta-sts-server $(DESTDIR)$(PREFIX)/sbin/mta-sts-server
	install -D -m 644 packaging/man/mta-sts-server.8 $(DESTDIR)$(PREFIX)/share/man/man8/mta-sts-server.8
	install -D -m 644 packaging/man/mta-sts-server.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/mta-sts-server.yaml.5
	install -D -m 644 packaging/systemd/mta-sts-server.service $(DESTDIR)$(PREFIX)/lib/systemd/system/mta-sts-server.service
	install -D -m 644 mta-sts-server.yaml $(DESTDIR)$(PREFIX)/share/doc/mta-sts-server/mta-sts-server.yaml

clean:
	rm -rf $(B)/obj $(B)/san $(B)/plain $(B)/clang $(B)/coverage $(B)/tests $(B)/bench $(B)/fuzz $(B)/libserver.a $(B)/mta-sts-server $(B)/flags

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
