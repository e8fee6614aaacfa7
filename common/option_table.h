/* option_table.h: the options of a command as one table. From it follow the command line, its
 * --help with ranges and defaults, the values that an experiment file may set, and the canonical
 * text of each value: the same quantity has the same text.
 *
 * A row names the field of the command's configuration that holds its value. Values are read into
 * that field and printed from it, so the range, unit and default of an option are in one place.
 * What several options must satisfy together is the command's to check once all are read. */
#ifndef MUX_OPTION_TABLE_H
#define MUX_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/cpus.h"

enum mux_value_kind {
  MUX_VALUE_FLAG,   /* bool: "no" or "yes"; on a command line the option alone, which means yes */
  MUX_VALUE_COUNT,  /* int32_t, int64_t or unsigned: k, M (common/units.h) */
  MUX_VALUE_SIZE,   /* ... bytes: KiB, MiB, GiB */
  MUX_VALUE_TIME,   /* ... ns, unless scale says otherwise: ns, us, ms, s, min */
  MUX_VALUE_CHOICE, /* enum or int: min + the index of the word in choices */
  MUX_VALUE_TEXT,   /* const char *: the text itself, which has to outlive the configuration */
  MUX_VALUE_CPUS,   /* cpu_set_t */
  MUX_VALUE_CUSTOM, /* the row's own read() and print() */
};

enum mux_option_flag {
  MUX_OPTION_EXPERIMENT = 1 << 0, /* an experiment may set it */
  MUX_OPTION_REQUIRED = 1 << 1,   /* the help says so; the command checks it */
  MUX_OPTION_POSITIONAL = 1 << 2, /* an argument that is no option is its value, too (TEXT) */
  MUX_OPTION_HIDDEN = 1 << 3,     /* not in the help */
  MUX_OPTION_LOCAL = 1 << 4,      /* not passed on to agents (loadgen/agent.h) */
};

enum { MUX_OPTION_TEXT = MUX_CPUS_TEXT }; /* room for any printed value but a TEXT */

struct mux_option_row {
  const char *key; /* the long option, without the dashes; NULL ends a table */
  int letter;      /* the short option; 0: none */
  enum mux_value_kind kind;
  size_t offset, bytes;       /* of the field: MUX_FIELD */
  int64_t min, max;           /* COUNT, SIZE, TIME; CHOICE: min is the value of the first word */
  int64_t scale;              /* of a field in another unit: MUX_US for microseconds; 0: 1 */
  const char *const *choices; /* CHOICE: NULL-terminated */
  const char *none;           /* a word for "no such value": the field is 0 or NULL; or NULL */
  const char *alone;          /* the value of an option without argument; NULL: it takes one */
  const char *fallback;       /* the default, as typed; NULL: the field stays as it was, and ... */
  const char *absent;         /* ... this says what that means, for the help */
  const char *argument;       /* in the help: "ADDR"; NULL: as usual for the kind */
  const char *unit;           /* in the help: what a COUNT counts, "per second"; or NULL */
  const char *help;           /* one phrase; range and default are added */
  int group;                  /* of the help */
  unsigned flags;             /* enum mux_option_flag */
  /* CUSTOM. read() returns 0, or -errno and what is wrong in why ("'x' is not a net"). print()
   * fills out, or returns NULL for a field without a value; NULL: it is not printed. */
  int (*read)(void *field, const char *text, char *why, size_t why_bytes);
  char *(*print)(char out[MUX_OPTION_TEXT], const void *field);
};

#define MUX_FIELD(type, member)                                                                    \
  .offset = offsetof(type, member), .bytes = sizeof(((const type *)0)->member)

/* A refused option, and why: "depth", "1000000 is out of range (1 to 1024)". */
struct mux_option_error {
  const char *key;
  char text[512];
};
/* Returns -EINVAL. */
int mux_option_error_set(struct mux_option_error *error, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Exit 2 with one line, "--depth: 1000000 is out of range (1 to 1024)". */
_Noreturn void mux_option_error_die(const struct mux_option_error *error);

/* Reads text into the row's field. Returns 0, or -errno with *error filled and config unchanged:
 * -EINVAL (no such value), -ERANGE, or what a CUSTOM read() returns. */
int mux_option_row_read(const struct mux_option_row *row, const char *text, void *config,
                        struct mux_option_error *error);
/* The field's value as canonical text, which reads back as the same; in out, or for a TEXT the
 * field's own. NULL: the field holds no value that could be printed. */
const char *mux_option_row_print(const struct mux_option_row *row, char out[MUX_OPTION_TEXT],
                                 const void *config);
/* A COUNT, SIZE or TIME (in bytes or ns whatever the scale), a CHOICE's or a FLAG's value; 0 for
 * other kinds. */
int64_t mux_option_row_number(const struct mux_option_row *row, const void *config);
/* A value as a word of a command line: "--depth=4", "--nagle"; "" for a flag that is off. Returns
 * its length as snprintf does. */
int mux_option_row_word(const struct mux_option_row *row, char *out, size_t out_bytes,
                        const char *value);
/* "Messages outstanding per connection (1 to 1024; default: 1)". The caller frees it. */
char *mux_option_row_help(const struct mux_option_row *row);

/* The row of that key, or NULL. */
const struct mux_option_row *mux_option_table_find(const struct mux_option_row *rows,
                                                   const char *key);
/* Gives every field with a default its default. */
void mux_option_table_defaults(const struct mux_option_row *rows, void *config);
/* Reads a command line into config, which holds the defaults. doc as in struct argp. A mistake ends
 * the program with exit 2 and one line (mux_parse_args in common/cli.h). */
void mux_option_table_parse(const struct mux_option_row *rows, const char *doc, int argc,
                            char **argv, void *config);

#endif
