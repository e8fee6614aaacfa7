/* units.h: quantities as people write them. One table per kind drives reading and printing.
 *
 * Counts and rates take k and M (powers of 1000), sizes KiB, MiB and GiB (powers of 1024), times
 * ns, us, ms, s and min. A decimal fraction is allowed when the result is whole. No sign, no space
 * before the number; a space before the unit is allowed. Inside: counts, bytes, nanoseconds. */
#ifndef MUX_UNITS_H
#define MUX_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Return 0, -EINVAL (not such a quantity, or not whole) or -ERANGE (too large). */
int mux_parse_count(const char *text, int64_t *value);
int mux_parse_size(const char *text, int64_t *bytes);
int mux_parse_time(const char *text, int64_t *ns);

/* "2%" or "0.5%" as a ratio, 0.02; not negative. 0 or -EINVAL. */
int mux_parse_percent(const char *text, double *ratio);

/* The shortest exact form, which the parser reads back as the same value. Return out. */
enum { MUX_UNIT_TEXT = 32 };
char *mux_print_count(char out[MUX_UNIT_TEXT], int64_t value);
char *mux_print_size(char out[MUX_UNIT_TEXT], int64_t bytes);
char *mux_print_time(char out[MUX_UNIT_TEXT], int64_t ns);

/* For people: three significant digits in the largest fitting unit ("1.23 ms", "45.6k"). */
char *mux_show_count(char out[MUX_UNIT_TEXT], double value);
char *mux_show_size(char out[MUX_UNIT_TEXT], double bytes);
char *mux_show_time(char out[MUX_UNIT_TEXT], double ns);

#endif
