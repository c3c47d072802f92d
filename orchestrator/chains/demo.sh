# the chain of the demo, run in its folder: keeps what passes between the stages
# needs MONTH: last month of the demo's logs, YYYY-MM
fetch-logs --logs logs | import-logs | tee web.ndjson |
    resolve-dns --from - --from hub/hub.ndjson --map hub/hosts.csv |
    usage-metrics --geoip hub/countries.mmdb | tee usage.ndjson |
    summarize --month $MONTH --format csv > cells.csv
