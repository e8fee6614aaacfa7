# muxbench: `make help` lists the targets.
CC      ?= cc
PREFIX  ?= /usr/local
SAN     ?=
V       ?= 0
comma   := ,
BUILD   ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter clang%,$(notdir $(CC))),-clang)

ROOMS   := common process hdr backends loadgen check bench/data bench/plan bench/results bench/run
SOURCES := muxbench.c $(filter-out backends/skeleton.c,$(sort $(foreach dir,$(ROOMS),$(wildcard $(dir)/*.c))))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

# Optional libraries: a backend names its own in one line, "mux-library: header flag package".
LIBRARIES := $(shell CC='$(CC)' scripts/libraries.sh flags $(wildcard backends/*.c loadgen/*.c))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers
# -Wno-missing-field-initializers: designated initialisers leave the rest zero on purpose.
HARDEN   := -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
OPTIMISE ?= -O2 -g
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPPFLAGS += -D_GNU_SOURCE -DMUX_IN_TREE -I. -I$(BUILD)
ALL_CFLAGS  := -std=gnu17 $(OPTIMISE) $(WARNINGS) $(HARDEN) $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro,-z,now -pthread $(SANITIZE) $(LDFLAGS)
LIBS        := $(LIBRARIES) -lconfig -ljansson -lsmartcols -lz -lm -ldl

ifeq ($(V),0)
quiet = @printf '  %-4s %s\n' $(1) $(2);
endif

.DEFAULT_GOAL := all
.PHONY: all help bench test test-all clean install setup stamp FORCE
all: $(BUILD)/muxbench

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make                     build build/muxbench
$(BUILD)/muxbench: $(OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
	@CC='$(CC)' scripts/libraries.sh missing $(wildcard backends/*.c loadgen/*.c)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Changed flags or libraries rebuild everything, a changed revision only build_info.o.
FLAGS := $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(FLAGS)' | scripts/write-if-changed.sh $@
$(BUILD)/build_stamp.h: FORCE
	@mkdir -p $(@D); scripts/stamp.sh '$(CC)' '$(FLAGS)' | scripts/write-if-changed.sh $@
$(BUILD)/common/build_info.o: $(BUILD)/build_stamp.h
FORCE:

-include $(OBJECTS:.o=.d)

# Submakes build in parallel unless make was told a -j of its own.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

setup:
	@scripts/setup.sh

## make bench               set up, build, run the quick experiment (2 minutes), print its table
bench: setup
	@$(MAKE) --no-print-directory $(JOBS) all
	$(BUILD)/muxbench run bench/experiments/quick.cfg

include tests/tests.mk

## make servers             build the foreign servers of scripts/servers that need it (C; Go, if here)
FOREIGN := $(wildcard scripts/servers/*.c $(if $(shell command -v go),scripts/servers/*.go))
.PHONY: servers
servers: $(patsubst scripts/%,$(BUILD)/%,$(basename $(FOREIGN)))
$(BUILD)/servers/%: scripts/servers/%.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(ALL_CFLAGS) -o $@ $<
$(BUILD)/servers/%: scripts/servers/%.go
	@mkdir -p $(@D)
	$(call quiet,GO,$<)go build -o $@ $<

## make install PREFIX=DIR  install the program, header, skeleton, examples and experiments
SHARE = $(DESTDIR)$(PREFIX)/share/muxbench
install: all
	install -D -m 755 $(BUILD)/muxbench $(DESTDIR)$(PREFIX)/bin/muxbench
	install -D -m 644 backends/mux_backend.h $(DESTDIR)$(PREFIX)/include/muxbench/mux_backend.h
	install -D -m 644 -t $(SHARE) backends/skeleton.c results/README.md
	install -D -m 644 -t $(SHARE)/examples examples/*.c
	install -D -m 644 -t $(SHARE)/experiments bench/experiments/*.cfg
	install -D -m 644 -t $(SHARE)/scripts/servers scripts/servers/*
	@scripts/install-report.sh $(abspath $(SHARE))/report

## make clean               remove what was built; results stay
clean:
	rm -rf build build-*

## Options: CC=clang  SAN=address,undefined  SAN=thread  V=1
