// Reads an HdrHistogram log with hdr-histogram-js and prints what is in it, for comparison:
//   L tag start length total max      one per interval
//   C value count                     one per counter of it that is not zero
import { readFileSync } from "node:fs";
import { HistogramLogReader } from "hdr-histogram-js";

const reader = new HistogramLogReader(readFileSync(process.argv[2], "utf8"), 64);
for (let h; (h = reader.nextIntervalHistogram()) != null; ) {
  const length = (h.endTimeStampMsec - h.startTimeStampMsec) / 1000;
  console.log("L", h.tag, h.startTimeStampMsec / 1000, length, h.totalCount, h.maxValue);
  for (let i = 0; i < h.countsArrayLength; i++)
    if (h.getCountAtIndex(i) > 0) console.log("C", h.valueFromIndex(i), h.getCountAtIndex(i));
}
