# the pipe in three parts, with what lies between them kept in files to look at
# needs LOGS: folder with the rotated logs
# needs MONTH: month to summarize, YYYY-MM
# needs OUT: folder for events.ndjson, enriched.ndjson, cells.csv
# takes DNS: options of resolve-dns, split at blanks
# takes GEO: options of usage-metrics, split at blanks
mkdir -p "$OUT" &&
fetch-logs --logs "$LOGS" | import-logs --rejects "$OUT/rejects.ndjson" > "$OUT/events.ndjson" &&
resolve-dns $DNS < "$OUT/events.ndjson" | usage-metrics $GEO > "$OUT/enriched.ndjson" &&
summarize --month $MONTH --format csv < "$OUT/enriched.ndjson" > "$OUT/cells.csv"
