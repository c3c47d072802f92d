# counts tool sessions and makes the tool statistics and lists (cron, 00:40 daily, as the web server's user)
# takes MONTH: month to work on, YYYY-MM; without it the current month
tool-metrics --db $MONTH
