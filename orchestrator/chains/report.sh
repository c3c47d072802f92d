# writes the usage report from the tables (by hand, or cron after the summaries)
# needs PAGE: file to write, for example /var/www/html/usage.html
# takes MONTH: month of the headline figures, YYYY-MM; without it the last whole month that is published
report --from db --to "$PAGE" $MONTH
