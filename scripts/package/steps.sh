#!/bin/sh
# The steps of a package around its installation and removal. `cargo xtask dist` makes the scripts of
# the .deb and the .rpm from it: each is this file and one call at the end. They ask nothing, and a
# step that cannot be done says so and does not stop the others.
set -eu
user=@USER@
group=@GROUP@
timers='hzmetrics.timer hzmetrics-whoisonline.timer'
etc=/etc/hubzero-metrics
libexec=/usr/libexec/hzmetrics
hub=/opt/hubzero/bin

say() { printf 'hzmetrics: %s\n' "$*" >&2; }
systemd_runs() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# The crontab that already starts the work: the original scripts, the port, or an hzmetrics that was
# installed from an archive. The file of this package does nothing where systemd runs.
other_crontab() {
    for file in /etc/crontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*; do
        case $file in /etc/cron.d/hzmetrics | *~ | *.rpm* | *.dpkg-*) continue ;; esac
        [ -f "$file" ] || continue
        if grep -q '^[^#]*\(/opt/hubzero/bin/metrics/\|hzmetrics\)' "$file" 2>/dev/null; then
            printf '%s' "$file"
            return 0
        fi
    done
    return 1
}

# An installation from an archive has its own units, crontab and logrotate file: two would do the work
# twice.
refuse_second_installation() {
    for prefix in /opt/hubzero /usr/local; do
        if [ -f "$prefix/share/hzmetrics/manifest" ]; then
            say "hzmetrics was installed from an archive below $prefix. Remove that installation first; the"
            say "configuration, the data and the logs stay: sh $prefix/share/hzmetrics/install.sh --uninstall"
            exit 1
        fi
    done
}

make_folder() { # path, mode, owner: one that exists is unchanged
    [ -e "$1" ] || [ ! -d "${1%/*}" ] || { mkdir -m "$2" "$1" && chown "$3" "$1"; }
}

# Links in the folder where hubs expect the programs; a name that is in use is left alone.
link_into_hub() {
    [ -d "$hub" ] || return 0
    for program in /usr/bin/hzmetrics "$libexec"/*; do
        name=${program##*/}
        if [ ! -e "$hub/$name" ] && [ ! -L "$hub/$name" ]; then ln -s "$program" "$hub/$name"; fi
    done
}

unlink_from_hub() {
    for link in "$hub"/*; do
        case $(readlink "$link" 2>/dev/null || :) in
            /usr/bin/hzmetrics | "$libexec"/*) rm -f "$link" ;;
        esac
    done
}

after_install() { # yes if nothing was installed before
    if command -v systemd-sysusers >/dev/null 2>&1; then
        systemd-sysusers /usr/lib/sysusers.d/hzmetrics.conf || say "systemd-sysusers failed"
    fi
    if ! id "$user" >/dev/null 2>&1; then
        say "there is no user $user: create it, or set another one (docs: install, From a package)"
        user=root group=root
    fi
    chown "root:$group" "$etc"
    chmod 750 "$etc"
    # the credentials: never replaced, and not a file that the package manager asks about
    if [ ! -e "$etc/access.cfg" ] && [ ! -e /opt/hubzero/metrics/conf/hzmetrics.conf ]; then
        (umask 077 && cp /usr/share/hzmetrics/access.cfg "$etc/access.cfg")
        chown "root:$group" "$etc/access.cfg"
        chmod 640 "$etc/access.cfg"
    fi
    make_folder /var/log/hubzero 755 root:root
    for part in metrics daily imported; do
        make_folder "/var/log/hubzero/$part" 750 "$user:$group"
    done
    for logs in /var/log/httpd /var/log/apache2; do
        make_folder "$logs/daily" 750 "$user:$group"
        make_folder "$logs/imported" 750 "$user:$group"
    done
    if command -v systemd-tmpfiles >/dev/null 2>&1; then
        systemd-tmpfiles --create /usr/lib/tmpfiles.d/hzmetrics.conf || say "systemd-tmpfiles failed"
    else
        make_folder /run/hzmetrics 755 "$user:$group"
    fi
    link_into_hub
    enable_timers "$1"
}

# The timers do nothing before `hzmetrics init` was run: see ConditionPathExists in their files.
enable_timers() {
    command -v systemctl >/dev/null 2>&1 || return 0
    if [ "$1" = yes ]; then
        if found=$(other_crontab); then
            say "$found starts the work already, so the timers stay off. Remove its lines, then:"
            say "systemctl enable --now $timers"
        else
            systemctl --no-reload -q enable $timers || say "the timers were not enabled"
        fi
    fi
    systemd_runs || return 0
    systemctl daemon-reload || :
    for timer in $timers; do
        if systemctl -q is-enabled "$timer" 2>/dev/null; then systemctl restart "$timer" || :; fi
    done
    systemctl try-restart hzmetrics-serve.service 2>/dev/null || :
}

before_removal() {
    unlink_from_hub
    command -v systemctl >/dev/null 2>&1 || return 0
    for unit in $timers hzmetrics-serve.socket hzmetrics-serve.service; do
        systemctl --no-reload -q disable "$unit" 2>/dev/null || :
        if systemd_runs; then systemctl stop "$unit" 2>/dev/null || :; fi
    done
}

# Tables, logs and what the administrator wrote stay.
after_purge() {
    rm -f "$etc/ready"
    rmdir "$etc" 2>/dev/null || :
}
