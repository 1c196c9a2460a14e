# report.awk -v mode=table|markdown|json RESULT.tsv...: medians, spreads and ratios of what bench/run.sh measured.
#
# Lines, their fields separated by tabs:
#   machine KEY VALUE
#   ran ROW COMMIT DATE ROUNDS
#   measure ID KIND BAR UNIT A B TITLE    KIND ratio: A's median by B's <= BAR; absolute: A's median <= BAR; equal: A = B.
#                                         BAR -: none, for information. A, B: what they are called
#   sample ID a|b ROUND VALUE
#   skipped ID TITLE REASON
#   peak COMMAND KIB ROW
# Plain awk: no sorting, no arrays of arrays.

BEGIN { FS = "\t"; peak_bar = 65536 }

$1 == "machine" { machine_keys[++machines] = $2; machine[$2] = $3 }
$1 == "ran" {
    if (!($3 in ran)) commits[++commit_count] = $3
    ran[$3] = ran[$3] (ran[$3] == "" ? "" : ", ") $2; ran_date[$3] = $4
}
$1 == "measure" {
    if (!($2 in kind)) ids[++count] = $2
    kind[$2] = $3; bar[$2] = $4; unit[$2] = $5; name[$2, "a"] = $6; name[$2, "b"] = $7; title[$2] = $8
}
$1 == "sample" { n = ++samples[$2, $3]; sample[$2, $3, n] = $5 + 0 }
$1 == "skipped" { skipped_ids[++skips] = $2; skipped_title[skips] = $3; skipped_why[skips] = $4 }
$1 == "peak" {
    if (!($2 in peak)) commands[++command_count] = $2
    if ($3 + 0 > peak[$2]) { peak[$2] = $3 + 0; peak_row[$2] = $4 }
}

# Fills `sorted` with the n values under `key`, smallest first.
function sort_samples(key, n,    i, j, v) {
    for (i = 1; i <= n; i++) {
        v = sample[key SUBSEP i]
        for (j = i - 1; j >= 1 && sorted[j] > v; j--) sorted[j + 1] = sorted[j]
        sorted[j + 1] = v
    }
}
function middle(n) { return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2 }

function summarize(id,    s, n, i, pairs) {
    for (s = 1; s <= 2; s++) {
        side = s == 1 ? "a" : "b"
        n = samples[id, side]
        if (n == 0) continue
        sort_samples(id SUBSEP side, n)
        median[id, side] = middle(n); low[id, side] = sorted[1]; high[id, side] = sorted[n]
    }
    met[id] = "-"; ratio[id] = ""
    pairs = samples[id, "a"] < samples[id, "b"] ? samples[id, "a"] : samples[id, "b"]
    if (pairs > 0 && median[id, "b"] > 0) {
        ratio[id] = median[id, "a"] / median[id, "b"]
        for (i = 1; i <= pairs; i++) sample[id, "r", i] = sample[id, "b", i] > 0 ? sample[id, "a", i] / sample[id, "b", i] : 0
        samples[id, "r"] = pairs
        sort_samples(id SUBSEP "r", pairs)
        ratio_low[id] = sorted[1]; ratio_high[id] = sorted[pairs]
    }
    if (bar[id] == "-" || samples[id, "a"] == 0) return
    if (kind[id] == "ratio") met[id] = ratio[id] != "" && ratio[id] <= bar[id] + 0 ? "yes" : "no"
    else if (kind[id] == "absolute") met[id] = median[id, "a"] <= bar[id] + 0 ? "yes" : "no"
    else if (kind[id] == "equal") met[id] = median[id, "a"] == median[id, "b"] ? "yes" : "no"
}

function figure(v) { return v == int(v) && v < 1e9 ? v "" : v >= 100 ? sprintf("%.0f", v) : v >= 1 ? sprintf("%.2f", v) : sprintf("%.4f", v) }
function spread(id, side) { return figure(low[id, side]) " to " figure(high[id, side]) }
function with_unit(id, v) { return unit[id] == "" ? figure(v) : figure(v) " " unit[id] }
function bar_text(id) {
    if (bar[id] == "-") return "-"
    return kind[id] == "ratio" ? bar[id] " x" : kind[id] == "equal" ? "equal" : bar[id] (unit[id] == "" ? "" : " " unit[id])
}
function result_text(id) {
    if (kind[id] == "ratio") return ratio[id] == "" ? "?" : sprintf("%.2f x", ratio[id])
    if (kind[id] == "equal") return figure(median[id, "a"]) " and " figure(median[id, "b"])
    return with_unit(id, median[id, "a"])
}
function spread_text(id) {
    if (kind[id] == "ratio") return ratio[id] == "" ? "" : sprintf("%.2f to %.2f", ratio_low[id], ratio_high[id])
    return samples[id, "a"] > 1 ? spread(id, "a") : ""
}
function sides_text(id,    text) {
    if (kind[id] == "equal") return name[id, "a"] "; " name[id, "b"]
    text = name[id, "a"] " " with_unit(id, median[id, "a"])
    if (samples[id, "a"] > 1) text = text " (" spread(id, "a") ")"
    if (samples[id, "b"] > 0) text = text "; " name[id, "b"] " " with_unit(id, median[id, "b"]) " (" spread(id, "b") ")"
    return text
}

# The largest peak: one more row.
function add_peaks(    i, c) {
    if (command_count == 0) return
    ids[++count] = "rss"; kind["rss"] = "absolute"; bar["rss"] = peak_bar; unit["rss"] = "KiB"
    for (i = 1; i <= command_count; i++) {
        c = commands[i]
        if (name["rss", "a"] == "" || peak[c] > sample["rss", "a", 1]) {
            name["rss", "a"] = "pond " c ", row " peak_row[c]; sample["rss", "a", 1] = peak[c]
        }
    }
    samples["rss", "a"] = 1; title["rss"] = "peak RSS of any command in any row"
}

function print_table(    i, id) {
    printf "%-58s %10s %18s %18s %4s\n", "row", "bar", "median", "spread", "met"
    for (i = 1; i <= count; i++) {
        id = ids[i]
        printf "%-58s %10s %18s %18s %4s\n", title[id], bar_text(id), result_text(id), spread_text(id), met[id]
        if (samples[id, "a"] > 1 || samples[id, "b"] > 0) printf "    %s\n", sides_text(id)
    }
    for (i = 1; i <= skips; i++) printf "%-58s skipped: %s\n", skipped_title[i], skipped_why[i]
    if (command_count > 0) printf "\n%-28s %14s  %s\n", "command", "peak RSS, KiB", "in row"
    for (i = 1; i <= command_count; i++) printf "%-28s %14d  %s\n", commands[i], peak[commands[i]], peak_row[commands[i]]
}

function print_markdown(    i, id) {
    print "# Benchmarks\n"
    print "Made by `bench/run.sh --report` from the last run of each row of `make bench`. Rounds are interleaved with the baseline (A B A B ...),"
    print "each with a fresh target and the source in the page cache. A ratio is that of the medians; its spread is that of the ratios of each"
    print "round's pair. Times are wall-clock. \"+ sync\" is syncfs(2) of the target's file system, within the time on both sides.\n"
    print "| machine | |\n|---|---|"
    for (i = 1; i <= machines; i++) printf "| %s | %s |\n", machine_keys[i], machine[machine_keys[i]]
    for (i = 1; i <= commit_count; i++)
        printf "| commit %s, %s | %s |\n", commits[i], ran_date[commits[i]], ran[commits[i]]
    print "\n| row | bar | median | spread | met? | medians (min to max) |\n|---|---|---|---|---|---|"
    for (i = 1; i <= count; i++) {
        id = ids[i]
        printf "| %s | %s | %s | %s | %s | %s |\n", title[id], bar_text(id), result_text(id), spread_text(id), met[id], sides_text(id)
    }
    for (i = 1; i <= skips; i++) printf "| %s | | | | skipped | %s |\n", skipped_title[i], skipped_why[i]
    print "\nRows without a bar are there for information.\n"
    print "| command | peak RSS, KiB | in row |\n|---|---|---|"
    for (i = 1; i <= command_count; i++) printf "| %s | %d | %s |\n", commands[i], peak[commands[i]], peak_row[commands[i]]
}

function quote(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
function json_samples(id, side,    i, text) {
    for (i = 1; i <= samples[id, side]; i++) text = text (i > 1 ? ", " : "") sprintf("%.6f", sample[id, side, i])
    return "[" text "]"
}
function json_side(id, side) {
    return sprintf("{\"name\": %s, \"median\": %.6f, \"min\": %.6f, \"max\": %.6f, \"samples\": %s}", quote(name[id, side]),
                   median[id, side], low[id, side], high[id, side], json_samples(id, side))
}
function print_json(    i, id) {
    print "{\n  \"machine\": {"
    for (i = 1; i <= machines; i++)
        printf "    %s: %s%s\n", quote(machine_keys[i]), quote(machine[machine_keys[i]]), i < machines ? "," : ""
    print "  },\n  \"runs\": ["
    for (i = 1; i <= commit_count; i++)
        printf "    {\"commit\": %s, \"date\": %s, \"rows\": %s}%s\n", quote(commits[i]), quote(ran_date[commits[i]]),
               quote(ran[commits[i]]), i < commit_count ? "," : ""
    print "  ],\n  \"rows\": ["
    for (i = 1; i <= count; i++) {
        id = ids[i]
        printf "    {\"id\": %s, \"title\": %s, \"kind\": %s, \"bar\": %s, \"unit\": %s, \"met\": %s,\n     \"a\": %s", quote(id),
               quote(title[id]), quote(kind[id]), bar[id] == "-" || kind[id] == "equal" ? "null" : bar[id], quote(unit[id]),
               met[id] == "-" ? "null" : met[id] == "yes" ? "true" : "false", json_side(id, "a")
        if (samples[id, "b"] > 0) printf ",\n     \"b\": %s", json_side(id, "b")
        if (ratio[id] != "")
            printf ",\n     \"ratio\": %.4f, \"pair_ratios\": %s", ratio[id], json_samples(id, "r")
        printf "}%s\n", i < count ? "," : ""
    }
    print "  ],\n  \"skipped\": ["
    for (i = 1; i <= skips; i++)
        printf "    {\"id\": %s, \"reason\": %s}%s\n", quote(skipped_ids[i]), quote(skipped_why[i]), i < skips ? "," : ""
    print "  ],\n  \"peaks\": ["
    for (i = 1; i <= command_count; i++)
        printf "    {\"command\": %s, \"kib\": %d, \"row\": %s}%s\n", quote(commands[i]), peak[commands[i]],
               quote(peak_row[commands[i]]), i < command_count ? "," : ""
    print "  ]\n}"
}

END {
    add_peaks()
    for (i = 1; i <= count; i++) summarize(ids[i])
    if (mode == "json") print_json()
    else if (mode == "markdown") print_markdown()
    else print_table()
}
