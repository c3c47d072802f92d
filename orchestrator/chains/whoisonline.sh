# notes where the live sessions come from and writes the map (cron, every 15 minutes, as the web server's user)
whoisonline --db
