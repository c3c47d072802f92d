# Usage metrics of the hub. Every five minutes: who is online; at minute 30: what is due (logs that
# arrived, the numbers of the day, the month). Prints nothing unless something failed.
*/5 * * * * @USER@ @PREFIX@/bin/hzmetrics tick
