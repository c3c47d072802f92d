# counts tool sessions and makes the tool statistics and lists (cron, 00:40 daily)
# takes MONTH: month to work on, YYYY-MM; without it the current month
tool-metrics --db $MONTH
