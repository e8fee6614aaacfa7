#!/usr/bin/env python3
"""plot_example.py RUN [METRIC] [OUT.svg]: one metric of a run against the connections, with pandas and
matplotlib, straight from measurements.csv. A start for those who bring their own tools.

Trials are left out whose flags void the metric. A line per backend joins the medians over the
blocks; the band is their interquartile range (not the interval of summary.csv). A panel per loop.
"""
import re
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import pandas as pd

# What a flag voids (results/README.md): everything, or throughput and latency but not what a request
# or connection costs.
EVERYTHING = {"errors", "short_of_connections"}
SPEED = {"client_bound", "rate_missed", "slip_high", "unanswered", "datagrams_lost", "in_turn",
         "noisy_host", "shared_core"}
COST = re.compile("_per_req$|_per_conn$|_used$|^floor|^events_per_wait$")


def standing(rows, metric):
    """The trials whose value of the metric is there and stands."""
    voids = EVERYTHING if COST.search(metric) else EVERYTHING | SPEED
    stands = rows["flags"].fillna("").str.split(";").map(voids.isdisjoint)
    return rows[rows.status.isin(["ok", "invalid"]) & stands & rows[metric].notna()]


def main(run="results/latest", metric="server_cpu_us_per_req", out="plot.svg"):
    rows = pd.read_csv(f"{run}/measurements.csv", dtype={"flags": str})
    if metric not in rows:
        sys.exit(f"{run}: measurements.csv has no column {metric}")
    rows = standing(rows, metric)
    if rows.empty:
        sys.exit(f"{run}: no trial has a valid {metric}")
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
