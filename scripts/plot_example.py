#!/usr/bin/env python3
"""plot_example.py RUN [METRIC] [OUT.svg]: one metric of a run against the connections, with pandas and
matplotlib, straight from measurements.csv. A start for those who bring their own tools.

Launches are left out whose flags void the metric. A line per backend joins the medians of the
launches; the band is their interquartile range (not the interval of summary.csv). A panel per loop.
"""
import re
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import pandas as pd

# What a flag voids (results/README.md): everything, or throughput and latency but not what a request
# or connection costs. Whether throughput and latency are the server's or the load's own is in
# summary.csv (`regime`).
EVERYTHING = {"errors", "short_of_connections"}
SPEED = {"load_limited", "rate_missed", "slip_high", "unanswered", "datagrams_lost", "in_turn",
         "shared_core", "littles_law"}
COST = re.compile("_per_req$|_per_conn$|_used$|^floor|^events_per_wait$")


def valid(rows, metric):
    """The launches that have a value of the metric which no flag voids."""
    voids = EVERYTHING if COST.search(metric) else EVERYTHING | SPEED
    is_valid = rows["flags"].fillna("").str.split(";").map(voids.isdisjoint)
    return rows[rows.status.isin(["ok", "invalid"]) & is_valid & rows[metric].notna()]


def main(run="results/latest", metric="host_cpu_us_per_req", out="plot.svg"):
    rows = pd.read_csv(f"{run}/measurements.csv", dtype={"flags": str})
    if metric not in rows:
        sys.exit(f"{run}: measurements.csv has no column {metric}")
    rows = valid(rows, metric)
    if rows.empty:
        sys.exit(f"{run}: no launch has a valid {metric}")
    loops = sorted(rows.loop.unique())
    figure, panels = plt.subplots(1, len(loops), figsize=(7 * len(loops), 5), squeeze=False)
    for loop, panel in zip(loops, panels[0]):
        for label, own in rows[rows.loop == loop].groupby("label"):
            by_x = own.groupby("connections")[metric].quantile([0.25, 0.5, 0.75]).unstack()
            (line,) = panel.plot(by_x.index, by_x[0.5], marker="o", label=label)
            panel.fill_between(by_x.index, by_x[0.25], by_x[0.75], color=line.get_color(), alpha=0.15)
        panel.set(xscale="log", xlabel="connections", ylabel=metric, title=f"{loop} loop")
        panel.set_ylim(bottom=0)
        panel.legend(fontsize="small")
    figure.savefig(out, bbox_inches="tight")
    print(out)


if __name__ == "__main__":
    main(*sys.argv[1:4])
