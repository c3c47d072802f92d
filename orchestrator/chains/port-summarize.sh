# only the summaries of a month (the port's summarize)
# needs MONTH: month to work on, YYYY-MM
summarize --compat port --db $MONTH
