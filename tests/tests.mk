# Tests. tests/unit/test_*.c and tests/integration/test_*.c are cmocka programs linked with the
# whole tree but main; the latter drive build/muxbench as real processes. Other programs and
# commands to run join TEST_COMMANDS, each one quoted for the shell: tests/run_tests.c runs them
# all, three at a time as they mostly wait, counts their cases and prints the closing line. Those
# that measure join ALONE_COMMANDS and have the machine to themselves.
TEST_HELPERS := $(addprefix $(BUILD)/tests/,support.o spawn.o run_experiment.o trace.o udp_peer.o \
  slice_model.o rates.o earlier.o datagram_network.o)
TEST_OBJECTS := $(filter-out $(BUILD)/muxbench.o,$(OBJECTS)) $(TEST_HELPERS)
UNIT_TESTS   := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))
INTEGRATION_TESTS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/integration/test_*.c)))
TEST_PROGRAMS := $(UNIT_TESTS) $(INTEGRATION_TESTS)
RUN_TESTS := $(BUILD)/tests/run_tests
ALONE_COMMANDS := $(addprefix $(BUILD)/tests/integration/test_,load load_modes capacity)
TEST_COMMANDS := $(if $(SAN),,'tests/test_run_tests.sh $(RUN_TESTS)' tests/test_build.sh \
  tests/test_includes.sh) \
  $(filter-out $(ALONE_COMMANDS),$(TEST_PROGRAMS))

# Where the programs find what they test. ThreadSanitizer dies above 8,000 threads, and 10,000
# processes with AddressSanitizer in them take all memory; MUX_TEST_CONNECTIONS_MAX of the caller
# goes before.
TEST_ENV := MUXBENCH=$(abspath $(BUILD)/muxbench) \
  $(if $(SAN),MUX_TEST_CONNECTIONS_MAX=$${MUX_TEST_CONNECTIONS_MAX:-2000}) \
  $(if $(SAN),LSAN_OPTIONS=suppressions=$(abspath tests/lsan.supp):print_suppressions=0)

$(TEST_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(TEST_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
$(RUN_TESTS): $(RUN_TESTS).o
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^
-include $(TEST_PROGRAMS:=.d) $(RUN_TESTS).d $(TEST_HELPERS:.o=.d)
.SECONDARY: $(TEST_PROGRAMS:=.o) $(RUN_TESTS).o

-include tests/results.mk tests/plugins.mk tests/conformance.mk tests/report.mk tests/load.mk tests/fuzz.mk tests/simulate.mk

.PHONY: unit integration test-programs run-tests
unit: $(RUN_TESTS) $(UNIT_TESTS)
	@$(TEST_ENV) $(RUN_TESTS) $(UNIT_TESTS)

integration: $(RUN_TESTS) $(INTEGRATION_TESTS) $(BUILD)/muxbench
	@$(TEST_ENV) $(RUN_TESTS) $(INTEGRATION_TESTS)

## make test                set up, build, unit, integration and quick conformance tests (5 minutes)
test: setup oracles
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(MAKE) --no-print-directory run-tests

## make test-all            every case, mutant, backend, transport and sanitizer (2 hours)
test-all: setup oracles
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(TEST_ENV) $(RUN_TESTS) -t 3000 -j 3 $(TEST_COMMANDS) -j 1 $(ALONE_COMMANDS) $(ALL_CONFORMANCE)
	@$(MAKE) --no-print-directory SAN=address,undefined run-tests conformance-all
	@$(MAKE) --no-print-directory SAN=thread run-tests conformance-all

test-programs: $(BUILD)/muxbench $(RUN_TESTS) $(TEST_PROGRAMS)

run-tests: test-programs
	@$(TEST_ENV) $(RUN_TESTS) -t 600 -j 3 $(TEST_COMMANDS) -j 1 $(ALONE_COMMANDS)
