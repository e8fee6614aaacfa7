# Fuzzing with libFuzzer, which needs clang: the whole tree but main, instrumented, in a build
# directory of its own. FUZZ_SECONDS: of each target. A finding stops it and stays in build-fuzz.
FUZZ_SECONDS ?= 20
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_MAKE = $(MAKE) --no-print-directory CC=clang SAN=address,undefined BUILD=build-fuzz \
  CFLAGS=-fsanitize=fuzzer-no-link

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(filter-out $(BUILD)/muxbench.o,$(OBJECTS))
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PHONY: fuzz fuzz-programs fuzz-keep
fuzz-programs: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%)
.SECONDARY: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%.o)

## make fuzz FUZZ_SECONDS=N  fuzz the readers and the echo core, N seconds each (clang)
fuzz: setup
	@command -v clang >/dev/null || scripts/setup.sh clang
	@$(FUZZ_MAKE) fuzz-programs
	@for target in $(FUZZ_TARGETS); do name=$${target#fuzz_}; \
	  mkdir -p build-fuzz/corpus/$$name tests/fuzz/corpus/$$name; \
	  echo "  FUZZ $$name"; \
	  build-fuzz/tests/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 \
	    -print_final_stats=0 -verbosity=0 -artifact_prefix=build-fuzz/$$name- \
	    build-fuzz/corpus/$$name tests/fuzz/corpus/$$name || exit 1; done

# Adds to the corpus in the tree what a run has found that covers more.
fuzz-keep:
	@for target in $(FUZZ_TARGETS); do name=$${target#fuzz_}; \
	  build-fuzz/tests/fuzz/$$target -merge=1 -max_len=700 -verbosity=0 tests/fuzz/corpus/$$name \
	    build-fuzz/corpus/$$name || exit 1; done
