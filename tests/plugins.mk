# Plug-ins to be loaded by tests, built as a user builds one: with the installed header alone.
PLUGINS := $(BUILD)/tests/plugins/skeleton.so $(BUILD)/tests/plugins/nameless.so
PLUGIN_CC = $(CC) -std=gnu17 -O2 $(WARNINGS) -fPIC -shared -o $@

$(BUILD)/tests/plugins/skeleton.so: backends/skeleton.c backends/mux_backend.h
	@mkdir -p $(@D)/include; cp backends/mux_backend.h $(@D)/include
	$(call quiet,CC,$<)$(PLUGIN_CC) -I$(@D)/include $<
$(BUILD)/tests/plugins/%.so: tests/plugins/%.c
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(PLUGIN_CC) $<

# The tests find them beside their own directory.
$(BUILD)/tests/unit/test_registry $(BUILD)/tests/integration/test_plugin: | $(PLUGINS)
