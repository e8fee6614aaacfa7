# Conformance: `muxbench check` on every backend, and the proof that its cases can fail. Everything
# prints TAP, so that tests/run_tests counts every case of every backend.
MUTANT  := $(BUILD)/tests/mutants/mutant
FAULTS  := $(BUILD)/tests/shims/faults.so
CONFORMANCE := tests/conformance/backends.sh
QUICK   := $(CONFORMANCE) -j 3 tcp://127.0.0.1:0 --quick
SOUND   := tests/conformance/sound.sh $(abspath $(MUTANT))
MUTANTS := tests/conformance/mutants.sh -m $(abspath $(MUTANT))
SHIM    := tests/conformance/shim.sh $(abspath $(FAULTS)) $(abspath $(MUTANT))

MUTANT_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/mutants/*.c))

$(MUTANT): $(MUTANT_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^
$(FAULTS): tests/shims/faults.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) -std=gnu17 -O2 -g $(WARNINGS) -D_GNU_SOURCE -fPIC -shared -o $@ $< -ldl
-include $(MUTANT_OBJECTS:.o=.d)
CONFORMANCE_TOOLS := $(MUTANT) $(FAULTS)
test-programs: $(CONFORMANCE_TOOLS)
$(BUILD)/tests/integration/test_check: | $(CONFORMANCE_TOOLS)

# The mutants prove the cases, not the backends: an ordinary build does that.
PROOF := $(if $(SAN),,'$(MUTANTS)')
TEST_COMMANDS += '$(QUICK)' '$(SOUND) quick' $(PROOF) '$(SHIM) quick'

# Every case over every transport, and on every mutant.
ALL_CONFORMANCE := $(foreach address,tcp://127.0.0.1:0 tcp://[::1]:0 \
  unix:///tmp/muxbench-conformance-{}.sock udp://127.0.0.1:0 udp://[::1]:0, \
  '$(CONFORMANCE) -j 3 $(address)') '$(SOUND)' $(if $(SAN),,'$(MUTANTS) -a -j 2') '$(SHIM) all'

.PHONY: conformance conformance-all mutants
## make conformance         the quick conformance cases of every backend
conformance: $(BUILD)/muxbench $(RUN_TESTS) $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) '$(QUICK)'

## make mutants             every deliberately broken server is caught, the sound one passes
mutants: $(BUILD)/muxbench $(RUN_TESTS) $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) '$(SOUND)' '$(MUTANTS)'

# Every case, backend and transport.
conformance-all: $(BUILD)/muxbench $(RUN_TESTS) $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) -t 3000 $(ALL_CONFORMANCE)

.PHONY: soak conformance-table
## make soak                every backend under valgrind: memory and descriptors (8 minutes)
soak: $(BUILD)/muxbench $(RUN_TESTS)
	@scripts/setup.sh valgrind
	@$(TEST_ENV) $(RUN_TESTS) -t 3000 tests/conformance/soak.sh

# The table of the documentation, from a run of every case on every backend.
conformance-table: $(BUILD)/muxbench $(MUTANT)
	@MUXBENCH=$(abspath $(BUILD)/muxbench) tests/conformance/table.sh $(MUTANT) \
	  >docs/conformance.md.new
	@mv docs/conformance.md.new docs/conformance.md
