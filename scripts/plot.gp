# plot.gp: one metric of a run against the connections, straight from measurements.csv: a start for
# those who bring their own tools. Points are launches, lines join their medians. Launches are left
# out whose flags void the metric.
#
#   gnuplot -c scripts/plot.gp FILE [OUT [METRIC [LOOP [ACROSS]]]]
#   gnuplot -c scripts/plot.gp results/latest/measurements.csv p99.svg response_p99_us open
#
# FILE: measurements.csv of a run; OUT: plot.svg; METRIC: host_cpu_us_per_req; LOOP: closed or
# open; ACROSS: connections. METRIC and ACROSS are columns of results/README.md.
argument(given, default) = given eq "" ? default : given
if (!exists("ARGC") || ARGC < 1 || ARGC > 5) {
  printerr "usage: gnuplot -c plot.gp FILE [OUT [METRIC [LOOP [ACROSS]]]]"
  exit status 2
}
file = ARG1
out = argument(ARG2, "plot.svg")
metric = argument(ARG3, "host_cpu_us_per_req")
loop = argument(ARG4, "closed")
across = argument(ARG5, "connections")

set datafile separator comma
set datafile columnheaders
set datafile missing ""

# What voids the metric: some flags everything, others throughput and latency but not what a request
# or connection costs. The table of flags is in results/README.md. Whether throughput and latency are
# the server's or the load's own is in summary.csv (`regime`).
has(list, word, separator) = strstrt(separator . list . separator, separator . word . separator) > 0
is_cost = strstrt(metric, "_per_req") || strstrt(metric, "_per_conn") || strstrt(metric, "_used") \
  || strstrt(metric, "floor") || metric eq "events_per_wait"
voids = "errors short_of_connections"
if (!is_cost) voids = voids . " load_limited rate_missed slip_high unanswered datagrams_lost in_turn" \
  . " shared_core littles_law"
is_void(flags) = (sum [i = 1:words(voids)] has(flags, word(voids, i), ";")) > 0
measured(status) = status eq "ok" || status eq "invalid"
wanted(unused) = measured(strcol("status")) && strcol("loop") eq loop && strcol(metric) ne "" \
  && !is_void(strcol("flags"))

# The labels and the values of ACROSS that occur.
labels = ""
values = ""
with_word(list, word) = has(list, word, " ") ? list : list . " " . word
note_both(l, v) = (labels = with_word(labels, l), values = with_word(values, v), 0)
stats file using (wanted(0) ? note_both(strcol("label"), strcol(across)) : 0) nooutput
if (words(labels) == 0) {
  printerr file . ": no launch with loop=" . loop . " has a valid " . metric
  exit status 1
}

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
