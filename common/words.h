/* words.h: splits a command line into words as a shell does (blanks, '…', "…", backslash), and
 * expands nothing: no variables, globs or substitution, and no shell ever runs. */
#ifndef MUX_WORDS_H
#define MUX_WORDS_H

/* Returns a NULL-terminated argv (one free() releases it all), or NULL with errno EINVAL (an open
 * quote, or no word at all) or ENOMEM. */
char **mux_words_split(const char *text);

/* A copy of word with every occurrence of name (such as "{port}") replaced by value; caller frees.
 * NULL: no memory. */
char *mux_words_replace(const char *word, const char *name, const char *value);

#endif
