#!/bin/sh
# For `postrotate` in logrotate: starts `hzmetrics run` as @USER@ and returns at once, so that
# logrotate never waits. A run that is under way is not disturbed: the new one sees its lock and ends.
user=@USER@
program=@PREFIX@/bin/hzmetrics

if [ "$(id -un)" = "$user" ]; then
    set -- "$program" run
elif command -v runuser >/dev/null 2>&1; then
    set -- runuser -u "$user" -- "$program" run
else
    set -- su -s /bin/sh "$user" -c "exec $program run"
fi
# a session of its own, so that it outlives logrotate; what it has to say is in its log
if command -v setsid >/dev/null 2>&1; then
    set -- setsid "$@"
fi
cd / && "$@" </dev/null >/dev/null 2>&1 &
exit 0
