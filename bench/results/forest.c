/* forest.c: see forest.h. */
#include "bench/results/forest.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 40 };

struct glyphs {
  const char *blank, *line, *left, *right, *dot, *one, *beyond_left, *beyond_right;
};
static const struct glyphs ascii = {" ", "-", "|", "|", "o", ":", "<", ">"};
static const struct glyphs unicode = {" ", "─", "├", "┤", "●", "┊", "◀", "▶"};

/* Asked of the environment: the program itself stays in the C locale. */
static const struct glyphs *glyphs(void) {
  locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  bool utf8 = own != (locale_t)0 && strcmp(nl_langinfo_l(CODESET, own), "UTF-8") == 0;
  if (own != (locale_t)0)
    freelocale(own);
  return utf8 ? &unicode : &ascii;
}

/* In logarithms; wide enough for all intervals, never wider than a factor of 16 either way. */
struct axis {
  double low, high;
};

static double bounded(double x) {
  return fmax(-log(16), fmin(log(16), x));
}

static struct axis axis_of(const struct summary *s, int cell, int metric) {
  struct axis axis = {-0.02, 0.02};
  for (int label = 0; label < s->plan->label_count; label++) {
    const struct summary_entry *entry = summary_at(s, cell, metric, label);
    if (isnan(entry->ratio) || label == s->plan->baseline)
      continue;
    double low = isnan(entry->ratio_low) ? entry->ratio : entry->ratio_low;
    double high = isnan(entry->ratio_high) ? entry->ratio : entry->ratio_high;
    axis.low = fmin(axis.low, bounded(log(low)));
    axis.high = fmax(axis.high, bounded(log(high)));
  }
  return axis;
}

static int column_of(const struct axis *axis, double ratio) {
  double x = (log(ratio) - axis->low) / (axis->high - axis->low);
  return (int)lround(x * (WIDTH - 1));
}

static void print_bar(const struct axis *axis, const struct summary_entry *entry,
                      const struct glyphs *g, FILE *to) {
  bool interval = !isnan(entry->ratio_low);
  int at = column_of(axis, entry->ratio);
  int low = interval ? column_of(axis, entry->ratio_low) : at;
  int high = interval ? column_of(axis, entry->ratio_high) : at;
  int one = column_of(axis, 1);
  for (int x = 0; x < WIDTH; x++) {
    const char *glyph = g->blank;
    if (x == one)
      glyph = g->one;
    if (x > low && x < high)
      glyph = g->line;
    if (interval && x == low)
      glyph = g->left;
    if (interval && x == high)
      glyph = g->right;
    if (x == at)
      glyph = g->dot;
    if (x == 0 && low < 0)
      glyph = g->beyond_left;
    if (x == WIDTH - 1 && high > WIDTH - 1)
      glyph = g->beyond_right;
    fputs(glyph, to);
  }
}

static int by_ratio(const struct summary *s, int cell, int metric, int order[]) {
  int n = 0;
  for (int label = 0; label < s->plan->label_count; label++) {
    double ratio = summary_at(s, cell, metric, label)->ratio;
    int at = n;
    if (isnan(ratio) || label == s->plan->baseline)
      continue;
    for (; at > 0 && summary_at(s, cell, metric, order[at - 1])->ratio > ratio; at--)
      order[at] = order[at - 1];
    order[at] = label;
    n++;
  }
  return n;
}

void forest_print(const struct summary *s, int cell, int metric, FILE *to) {
  int order[EXPERIMENT_LABELS];
  int n = by_ratio(s, cell, metric, order);
  struct axis axis = axis_of(s, cell, metric);
  const struct glyphs *g = glyphs();
  int widest = 0;
  for (int i = 0; i < n; i++) {
    int length = (int)strlen(s->plan->labels[order[i]].name);
    widest = length > widest ? length : widest;
  }
  for (int i = 0; i < n; i++) {
    const struct summary_entry *entry = summary_at(s, cell, metric, order[i]);
    fprintf(to, "  %-*s ", widest, s->plan->labels[order[i]].name);
    print_bar(&axis, entry, g, to);
    fprintf(to, " %.3f×", entry->ratio);
    if (!isnan(entry->ratio_low))
      fprintf(to, " [%.3f, %.3f]", entry->ratio_low, entry->ratio_high);
    fprintf(to, " %s\n", verdict_names[entry->verdict]);
  }
  if (n > 0)
    fprintf(to, "  %-*s %-6.2f%*s%.2f  ratio to %s, log scale\n", widest, "", exp(axis.low),
            WIDTH - 10, "", exp(axis.high), s->plan->labels[s->plan->baseline].name);
}
