"""The grades of reports in the spool: what is worth least makes room first."""

CALL_SUMMARY, SELF, WATCH, FLAG = range(4)
# So much of the spool may be call summaries: an outage of days must not have it full of honest calls.
CALL_SUMMARY_SHARE = 1 / 4
