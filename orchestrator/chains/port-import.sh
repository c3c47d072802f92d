# loads every pending log, a transaction a file, and archives what was loaded (the port's import)
fetch-logs --compat port | import-logs --compat port --to db | archive --compat port --db
