# loads the staged logs into web, webhits, bot_useragents and userlogin (cron, 00:15 daily, as the web server's user)
import-logs --db
