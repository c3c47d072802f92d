# copies the rotated logs of the day to the staging files (cron, 00:10 daily, as the web server's user)
fetch-logs --stage
