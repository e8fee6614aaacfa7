# plot.gp: one metric of a run against the connections, straight from measurements.csv, for those who
# bring their own tools. Points are trials, lines join their medians. Only trials with status "ok".
#
#   gnuplot -e "run='results/latest'" scripts/plot.gp                        # writes plot.svg
#   gnuplot -e "run='results/latest'; metric='completed_per_s'; out='t.svg'" scripts/plot.gp
#
# run: the directory; metric and across: columns (results/README.md); loop: 'closed' or 'open'.
if (!exists("run")) run = "results/latest"
if (!exists("metric")) metric = "server_cpu_us_per_req"
if (!exists("across")) across = "connections"
if (!exists("loop")) loop = "closed"
if (!exists("out")) out = "plot.svg"

file = run . "/measurements.csv"
set datafile separator comma
set datafile columnheaders
set datafile missing ""

# The labels and the values of that column that occur.
labels = ""
values = ""
has(list, word) = strstrt(" " . list . " ", " " . word . " ") > 0
wanted(unused) = strcol("status") eq "ok" && strcol("loop") eq loop
note_both(l, v) = (labels = has(labels, l) ? labels : labels . " " . l, \
                   values = has(values, v) ? values : values . " " . v, 0)
stats file using (wanted(0) ? note_both(strcol("label"), strcol(across)) : 0) nooutput

# Medians, label by label: an empty line and another index for each.
y(l, v) = wanted(0) && strcol("label") eq l && (v eq "" || strcol(across) eq v) ? column(metric) : NaN
set print $medians
do for [l in labels] {
  print "across,median" # every data set has its header
  do for [v in values] {
    seen = 0
    stats file using (wanted(0) && strcol("label") eq l && strcol(across) eq v ? (seen = seen + 1) : 0) nooutput
    if (seen > 0) {
      stats file using (y(l, v)) nooutput
      print sprintf("%s,%.9g", v, STATS_median)
    }
  }
  print ""
  print ""
}
unset print

set terminal svg size 860,520 font "sans-serif,12" background "white"
set output out
set logscale xy
set xlabel across noenhanced
set ylabel metric noenhanced
set key outside right noenhanced
set grid
plot for [i = 1:words(labels)] file using (column(across)):(y(word(labels, i), "")) \
       with points lc i pt 6 ps 0.4 notitle, \
     for [i = 1:words(labels)] $medians index i - 1 using 1:2 smooth unique \
       with linespoints lc i pt 7 ps 0.6 title word(labels, i)
