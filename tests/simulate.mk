# How often the statistics are right: a long simulation that writes its tables into
# docs/statistics.md. tests/unit/test_rates.c is the short one.
SIMULATE := $(BUILD)/tests/simulate
SIMULATE_RUNS ?= 4000

$(SIMULATE): $(SIMULATE).o $(TEST_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
-include $(SIMULATE).d
.SECONDARY: $(SIMULATE).o

.PHONY: simulate
## make simulate            how often the statistics are right (half an hour): docs/statistics.md
simulate: $(SIMULATE)
	@nice -n 15 $(SIMULATE) $(SIMULATE_RUNS) > $(SIMULATE).md
	@scripts/replace-generated.sh docs/statistics.md "make simulate" $(SIMULATE).md

# The same of recorded slices: comparisons of a server with itself.
REPLAY := $(BUILD)/tests/replay
REPLAY_RESULTS := $(BUILD)/tests/replay.results

$(REPLAY): $(REPLAY).o $(TEST_OBJECTS)
	$(call quiet,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
-include $(REPLAY).d
.SECONDARY: $(REPLAY).o

.PHONY: replay
## make replay              how often a server is found to differ from itself (some minutes)
replay: $(REPLAY) $(BUILD)/muxbench
	@$(BUILD)/muxbench run tests/same.cfg --out $(REPLAY_RESULTS) > $(REPLAY).log
	@$(REPLAY) $(REPLAY_RESULTS)/latest
