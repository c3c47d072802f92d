# copies the rotated logs of the day to the staging files (cron, 00:10 daily)
fetch-logs --stage
