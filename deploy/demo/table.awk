# Reads the truth of the demo, then one JSON line per answer, and prints the live table and the last line.
#   mawk -W interactive -v truth=truth.csv -v people=people.tsv -v min_matched=20 -f table.awk
# people.tsv: pseudonym <tab> traveller_ref. Exit code 0 when the demo shows what it must, 1 otherwise.

function text(line, key,    at, rest) { # value of "key":"..." or "key":number; "" for null and absent
  at = index(line, "\"" key "\":")
  if (!at) return ""
  rest = substr(line, at + length(key) + 3)
  sub(/^ */, "", rest)
  if (substr(rest, 1, 1) == "\"") { rest = substr(rest, 2); return substr(rest, 1, index(rest, "\"") - 1) }
  match(rest, /^[-0-9.eE+]+/)
  return RLENGTH > 0 ? substr(rest, 1, RLENGTH) : ""
}

function percentile(p,    i) { i = int((latencies - 1) * p / 100 + 0.5) + 1; return latencies ? latency[i] : 0 }

function sort_latencies(   gap, i, j, value) { # shell sort: mawk has no asort
  for (gap = int(latencies / 2); gap > 0; gap = int(gap / 2))
    for (i = gap + 1; i <= latencies; i++) {
      value = latency[i]
      for (j = i; j > gap && latency[j - gap] > value; j -= gap) latency[j] = latency[j - gap]
      latency[j] = value
    }
}

BEGIN {
  FS = ","
  while ((getline line < truth) > 0) {
    split(line, field, ",")
    if (field[1] == "frame") continue
    expected[field[1]] = field[4]; alteration[field[1]] = field[3]
  }
  while ((getline line < people) > 0) { split(line, field, "\t"); ref_of[field[1]] = field[2] }
  printf "%-4s %-22s %-13s %-9s %-16s %-8s %7s %8s\n", "lane", "frame", "alteration", "outcome", "reason", "person", "score", "ms"
}

{
  source = text($0, "source"); sub(/.*\//, "", source)
  answer = text($0, "answer"); outcome = text($0, "outcome")
  if (text($0, "kind") == "frame") { latency[++latencies] = text($0, "latency_ms") + 0; frames++ }
  if (answer == "unanswered") unanswered++
  if (outcome == "") next
  want = expected[source]; kind = alteration[source]
  who = ref_of[text($0, "traveller")]
  encounters++
  if (outcome == "match") matched++
  else if (outcome == "no_match") missed++
  else referred++
  bad = outcome == "match" && who != want
  if (bad) wrong++
  if (want != "-") {
    plain = kind == "plain"
    if (plain) { plain_all++; if (outcome == "match" && !bad) plain_ok++ }
    else { altered_all++; if (outcome == "match" && !bad) altered_ok++ }
  }
  printf "%-4s %-22s %-13s %-9s %-16s %-8s %7s %8.1f%s\n", text($0, "lane"), source, kind, outcome, text($0, "reason"),
    who, substr(text($0, "score"), 1, 6), text($0, "latency_ms"), bad ? "  WRONG" : ""
}

END {
  sort_latencies()
  elapsed = seconds_of()
  printf "plain frames of enrolled people matched: %d of %d; altered ones: %d of %d\n", plain_ok, plain_all, altered_ok, altered_all
  printf "demo: %d encounters, %d matched, %d no match, %d referred, %d unanswered, %d wrong, p50 %.1f ms, p99 %.1f ms, %.1f frames/s\n",
    encounters, matched, missed, referred, unanswered, wrong, percentile(50), percentile(99), (elapsed > 0 ? frames / elapsed : 0)
  good = encounters > 0 && !wrong && !unanswered && matched >= min_matched && plain_ok >= 0.9 * plain_all && altered_ok >= 0.75 * altered_all
  exit !good
}

# The time from the first frame to the last answer, as the caller's clock file says (seconds, fractions).
function seconds_of(   start, end) {
  getline start < clock; getline end < clock; close(clock)
  return end - start
}
