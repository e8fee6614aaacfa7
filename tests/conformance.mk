# Conformance: `muxbench check` on every backend, and the proof that its cases can fail. Everything
# prints TAP, so that tests/run_tests counts each case of each backend.
MUTANT := $(BUILD)/tests/mutants/mutant
CONFORMANCE := tests/conformance/backends.sh
CONFORMANCE_UNIX := unix:///tmp/muxbench-conformance-{}.sock
SOUND := $(BUILD)/muxbench check --tap --exec '$(abspath $(MUTANT)) sound {port}'

$(MUTANT): $(MUTANT).o
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^
-include $(MUTANT).d

TEST_COMMANDS += '$(CONFORMANCE) tcp://127.0.0.1:0 --quick' "$(SOUND) --quick" \
  'tests/conformance/mutants.sh $(abspath $(MUTANT))'
test-programs: $(MUTANT)
$(BUILD)/tests/integration/test_check: | $(MUTANT)

CONFORMANCE_TOOLS := $(BUILD)/muxbench $(RUN_TESTS) $(MUTANT)
.PHONY: conformance conformance-all mutants
## make conformance         the quick conformance cases of every backend
conformance: $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) '$(CONFORMANCE) tcp://127.0.0.1:0 --quick'

## make mutants             every deliberately broken server is caught, the sound one passes
mutants: $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) "$(SOUND)" 'tests/conformance/mutants.sh $(abspath $(MUTANT))'

# Every case, backend and transport.
conformance-all: $(CONFORMANCE_TOOLS)
	@$(TEST_ENV) $(RUN_TESTS) -t 1800 '$(CONFORMANCE) tcp://127.0.0.1:0' \
	  '$(CONFORMANCE) tcp://[::1]:0' '$(CONFORMANCE) $(CONFORMANCE_UNIX)' "$(SOUND)" \
	  'tests/conformance/mutants.sh $(abspath $(MUTANT))'
