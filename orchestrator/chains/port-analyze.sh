# tool statistics, sessions and summaries of a month, one after the other (the port's analyze)
# needs MONTH: month to work on, YYYY-MM
tool-metrics --compat port --db $MONTH &&
usage-metrics --compat port --db $MONTH &&
summarize --compat port --db $MONTH
