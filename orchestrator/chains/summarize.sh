# computes the summary tables of a month (cron, 01:50 on the first of the month, as the web server's user)
# takes MONTH: month to work on, YYYY-MM; without it the previous month
summarize --db $MONTH
