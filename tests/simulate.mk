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
	@scripts/replace-generated.sh docs/statistics.md $(SIMULATE).md
