# from rotated logs to the summary cells of a month as CSV, without a server
# needs LOGS: folder with the rotated logs
# needs MONTH: month to summarize, YYYY-MM
# takes DNS: options of resolve-dns, split at blanks
# takes USAGE: options of usage-metrics, split at blanks
fetch-logs --logs "$LOGS" | import-logs | resolve-dns $DNS | usage-metrics $USAGE |
    summarize --month $MONTH --format csv
