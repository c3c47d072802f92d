# fills in names, domains and countries and builds the sessions (cron, 00:50 daily, as the web server's user)
# takes MONTH: month to work on, YYYY-MM; without it the current month
usage-metrics --db $MONTH
