#!/bin/sh
# For `postrotate` in logrotate: starts `hzmetrics run` as @USER@ and returns at once, so that
# logrotate never waits. A run in progress is not disturbed: the new one sees its lock and ends.
# The run inherits nothing from root: no group, no variable, no terminal, no open file.
user=@USER@
program=@PREFIX@/bin/hzmetrics

uid=$(id -u "$user") || exit 1
set -- env -i PATH=/usr/local/bin:/usr/bin:/bin "$program" run
if [ "$(id -u)" -eq "$uid" ]; then
    : # already that user
elif [ "$(id -u)" -ne 0 ]; then
    echo "$0: only root and $user can start it" >&2
    exit 1
elif command -v setpriv >/dev/null 2>&1; then
    set -- setpriv --reuid "$uid" --regid "$(id -g "$user")" --init-groups --no-new-privs "$@"
elif command -v runuser >/dev/null 2>&1; then
    set -- runuser -u "$user" -- "$@"
else
    set -- su -s /bin/sh "$user" -c "exec $*"
fi
# a session of its own: it outlives logrotate and has no terminal; its messages are in its log
if command -v setsid >/dev/null 2>&1; then
    set -- setsid "$@"
fi
umask 027
cd / && "$@" </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
exit 0
