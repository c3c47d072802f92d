# compresses the imported logs and moves them to imported/ (cron, 00:30 daily, as the web server's user)
archive --db
