# mta-sts-server. `make run` and `make check` are all that a fresh Debian machine needs; `make help` lists the rest.
#   T=name     only tests whose name holds it          SAN=1      with address and undefined-behaviour sanitizers
#   MBEDTLS=system|static, MBEDTLS_TARBALL=file        where mbedTLS comes from (packaging/mbedtls/find)

B := build
ifdef SAN
O := $(B)/san
else
O := $(B)
endif

PREFIX ?= /usr/local
CC ?= cc
PKG_CONFIG ?= pkg-config

VERSION := 0.1.0
LIBRARIES := libuv yaml-0.1 lmdb libidn2

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
ifdef CI
WARNINGS += -Werror
endif
HARDENING := -fPIE -fstack-protector-strong -fstack-clash-protection
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection=full
endif
ifdef SAN
OPTIMISE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS_SAN := -fsanitize=address,undefined
MBEDTLS_EXTRA_CFLAGS := -fsanitize=address,undefined -U_FORTIFY_SOURCE -g
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
UNIT := $(patsubst tests/unit/%.c,$(O)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all run check check-unit check-flow check-fuzz-corpora lint deps deps-check fuzz install clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/mta-sts-server

help:
	@echo 'make            build/mta-sts-server'
	@echo 'make run        a server on 127.0.0.1:8443 with the sample configuration'
	@echo 'make check      all tests; T=name only some, SAN=1 with sanitizers'
	@echo 'make fuzz       T=hello S=60: fuzz one parser (clang)'
	@echo 'make lint       formatting, arrows, forbidden functions, copies printed from tables'
	@echo 'make install    DESTDIR= PREFIX=/usr/local'

# --- dependencies ---------------------------------------------------------------------------------------------

deps:
	@MBEDTLS='$(MBEDTLS)' MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' packaging/deps build

deps-check:
	@MBEDTLS='$(MBEDTLS)' MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' packaging/deps check

# Goals that compile ask once which mbedTLS there is; the answer is a file of make assignments.
ifneq ($(filter-out deps deps-check clean help lint run check,$(or $(MAKECMDGOALS),all)),)
-include $(O)/mbedtls.mk
endif

$(O)/mbedtls.mk: packaging/mbedtls/find
	@mkdir -p $(@D)
	@MBEDTLS='$(MBEDTLS)' MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' CC='$(CC)' packaging/mbedtls/find $(O)/mbedtls > $@

$(O)/mbedtls/stamp: packaging/mbedtls/mbedtls_config.h packaging/mbedtls/build
	@MBEDTLS_TARBALL='$(MBEDTLS_TARBALL)' MBEDTLS_EXTRA_CFLAGS='$(MBEDTLS_EXTRA_CFLAGS)' CC='$(CC)' \
		packaging/mbedtls/build $(O)/mbedtls

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

$(O)/tests/%: tests/unit/%.c $(O)/libserver.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	@$(CC) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) $< $(wildcard tests/unit/support/*.c) $(O)/libserver.a $(LIBS) -lcmocka -o $@

$(O)/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(O)/libserver.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) -Wno-missing-prototypes $(LDFLAGS_ALL) $< tests/fuzz/replay.c $(O)/libserver.a $(LIBS) -o $@

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
