/* nameless.c: a shared object that is no plug-in: it lacks the symbol. */
int nameless_symbol = 1;
