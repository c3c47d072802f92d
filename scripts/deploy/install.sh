#!/bin/sh
# Installs hzmetrics from the folder that contains this script, or uninstalls it. Needs only a POSIX
# shell and coreutils (or busybox). `cargo xtask install` calls it too, so that an installation from
# a checkout is the same as one from a release archive.
set -eu
umask 022

usage() {
    cat <<'END'
install.sh [OPTION…]       install, or update an installation
install.sh --uninstall     remove what was installed, and nothing else

  --prefix DIR     where to install programs, man pages and completions: /opt/hubzero, or the prefix
                   of the installation whose share/hzmetrics contains this script
  --destdir DIR    put everything below DIR and touch nothing outside it (for packages)
  --cron WAY       cron.d: /etc/cron.d/hubzero-metrics; spool: the user's crontab; none
  --systemd        install systemd timers instead of a crontab line
  --user USER      who the work runs as: apache, or www-data if that is the web server's user
  --group GROUP    the group of that user
  --uninstall      remove what was installed; a filled-in configuration, data and logs stay
  --dry-run        say what would be done, and do nothing
  --help           print this text

A second run only does what is missing, and keeps the choices of the first.
END
}

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
    warn "$1"
    exit "${2-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
# an installed copy knows its prefix
case $here in
    */share/hzmetrics) prefix=${here%/share/hzmetrics} ;;
    *) prefix=/opt/hubzero ;;
esac
destdir='' cron='' systemd='' user='' group='' uninstall='' dry_run=''
need_value() { [ "$1" -ge 2 ] || die "$2 needs a value" 2; }
while [ $# -gt 0 ]; do
    case $1 in
        --*=*)
            option=$1
            shift
            set -- "${option%%=*}" "${option#*=}" "$@"
            ;;
    esac
    case $1 in
        --prefix | --destdir | --cron | --user | --group) need_value $# "$1" ;;
    esac
    case $1 in
        --prefix) prefix=$2 && shift ;;
        --destdir) destdir=$2 && shift ;;
        --cron) cron=$2 && shift ;;
        --user) user=$2 && shift ;;
        --group) group=$2 && shift ;;
        --systemd) systemd=yes ;;
        --uninstall) uninstall=yes ;;
        --dry-run) dry_run=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *) die "unknown option $1; --help lists the options" 2 ;;
    esac
    shift
done

# the prefix is written into crontabs and unit files, where other characters have a meaning
case $prefix in
    /*[!A-Za-z0-9_./+-]* | */../* | */..) die "--prefix $prefix: only letters, digits and _ . / + - please" 2 ;;
    /?*) prefix=${prefix%/} ;;
    *) die '--prefix must be a whole path' 2 ;;
esac
case $user$group in
    *[!A-Za-z0-9_.-]*) die "--user $user, --group $group: not a valid name" 2 ;;
esac
case $cron in
    '' | spool | cron.d | none) ;;
    *) die "--cron $cron: must be spool, cron.d or none" 2 ;;
esac
if [ -n "$systemd" ] && [ -n "$cron" ] && [ "$cron" != none ]; then
    die "--systemd replaces cron: leave out --cron $cron" 2
fi
case $destdir in
    '') ;;
    /*) destdir=${destdir%/} ;;
    *) destdir=$PWD/${destdir%/} ;;
esac
root=
[ "$(id -u)" -ne 0 ] || root=yes
if [ -z "$destdir" ] && [ -z "$root" ] && [ -z "$dry_run" ]; then
    die 'only root can install on this machine (--destdir DIR puts everything below DIR)'
fi

# What was installed, one line each: its sort, for settings a checksum, and its path without --destdir.
# A line is written before what it describes, so that an installation can be undone at any point.
manifest=$prefix/share/hzmetrics/manifest
# a file that is being written has this suffix, which cron, logrotate and systemd ignore
new='.hzmetrics-new~'

tmp=$(mktemp -d "${TMPDIR:-/tmp}/hzmetrics.XXXXXX")
unfinished=
leave() {
    code=$?
    rm -rf "$tmp"
    if [ "$code" -ne 0 ] && [ -n "$unfinished" ]; then
        warn 'not finished: run it again, or take back what was done with --uninstall'
    fi
    exit "$code"
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# the manifest as the last run left it
old=$tmp/old
if [ -f "$destdir$manifest" ]; then cp "$destdir$manifest" "$old"; fi
choice() { if [ -f "$old" ]; then sed -n "s/^choice $1 //p" "$old"; fi; }
if [ -f "$old" ] && [ "$(choice prefix)" != "$prefix" ]; then
    die "$destdir$manifest is of an installation in $(choice prefix): pass that with --prefix, and --destdir if it is below another folder"
fi

changed=0
done_to() { # what was done, to which path
    changed=$((changed + 1))
    if [ -n "$dry_run" ]; then
        say "would: $1 $destdir$2"
    else
        # there are many manuals, completions and pages: not worth a line each
        case $2 in "$prefix"/share/*/*) ;; *) say "$1 $destdir$2" ;; esac
    fi
}
sum_of() { cksum <"$1" | tr ' ' '-'; }
# whether the old manifest has a line of this sort (`file`, `setting`, …) for this path
had() { [ -f "$old" ] && awk -v sort="$1" -v path="$2" '$1 == sort && $NF == path { found = 1 } END { exit !found }' "$old"; }
# whether the file is what we wrote, now or in the previous run
is_ours() { [ -f "$old" ] && grep -qxF "$1 $(sum_of "$destdir$2") $2" "$old"; }
crontab_of() { # the file that cron keeps for the user
    if [ -d "$destdir/var/spool/cron/crontabs" ]; then
        say "/var/spool/cron/crontabs/$user"
    else
        say "/var/spool/cron/$user"
    fi
}
# a crontab without our lines
without_ours() { sed '/^# hzmetrics: begin/,/^# hzmetrics: end/d' "$1"; }
systemd_runs() { [ -z "$destdir" ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# --- uninstall -----------------------------------------------------------------------------------

there() { [ -e "$destdir$1" ] || [ -L "$destdir$1" ]; }
drop() { if [ -z "$dry_run" ] && there "$1"; then rm -f "$destdir$1"; fi; }
remove() { # path
    there "$1" || return 0
    drop "$1"
    done_to removed "$1"
}
remove_setting() { # path
    [ -f "$destdir$1" ] || return 0
    if is_ours setting "$1"; then
        remove "$1"
    else
        # cron, logrotate and systemd ignore files with this suffix
        [ -n "$dry_run" ] || mv -f "$destdir$1" "$destdir$1.rpmsave"
        done_to 'kept, as it was edited, with the ending .rpmsave:' "$1"
    fi
}
remove_config() { # path
    [ -f "$destdir$1" ] || return 0
    if is_ours config "$1"; then remove "$1"; else say "kept $destdir$1"; fi
}
remove_lines() { # path of a crontab, whether it was there before us
    [ -f "$destdir$1" ] || return 0
    without_ours "$destdir$1" >"$tmp/crontab"
    if [ "$2" = ours ] && [ ! -s "$tmp/crontab" ]; then
        remove "$1"
    elif ! cmp -s "$tmp/crontab" "$destdir$1"; then
        [ -n "$dry_run" ] || replace "$tmp/crontab" "$1"
        done_to 'took our lines out of' "$1"
    fi
}
replace() { # the content of a file that stays whose it is
    if there "$2$new"; then rm -f "$destdir$2$new"; fi
    cp -p "$destdir$2" "$destdir$2$new"
    cat "$1" >"$destdir$2$new"
    mv -f "$destdir$2$new" "$destdir$2"
}
take_away() { # lines of a manifest on standard input
    while read -r sort first rest; do
        path=${rest:-$first}
        case $path in
            */../* | */..) die "$destdir$manifest is damaged: $path" ;;
            /*) ;;
            *) [ "$sort" = choice ] || die "$destdir$manifest is damaged: $path" ;;
        esac
        case $sort in
            file | link | setting | config | crontab) drop "$path$new" ;;
        esac
        case $sort in
            file | link) remove "$path" ;;
            setting) remove_setting "$path" ;;
            config) remove_config "$path" ;;
            crontab) remove_lines "$path" "$first" ;;
        esac
    done
}
put_back() { # lines of a manifest on standard input: what was there before us
    while read -r sort kept path; do
        if [ "$sort" != kept ] || ! there "$kept"; then continue; fi
        if [ -z "$dry_run" ]; then
            ! there "$path" || continue
            mv "$destdir$kept" "$destdir$path"
        fi
        done_to 'put back' "$path"
    done
}
place() { # source, path, mode, owner:group: appears whole, or not at all
    if there "$2$new"; then rm -f "$destdir$2$new"; fi
    (umask 077 && cp "$1" "$destdir$2$new")
    own "$destdir$2$new" "$4"
    chmod "$3" "$destdir$2$new"
    mv -f "$destdir$2$new" "$destdir$2"
}
own() { # path with destdir, owner:group
    if [ -n "$owned" ]; then
        chown -h "$2" "$1"
    elif [ -n "$root" ]; then
        chown -h root:root "$1"
    fi
}
owned=
missing_folders() { # those above the manifest that are not there, the upper first
    path=${manifest%/*}
    above=
    while [ -n "$path" ] && [ ! -d "$destdir$path" ]; do
        above="$path
$above"
        path=${path%/*}
    done
    printf '%s' "$above"
}
bud() { say "$destdir$1$new"; } # a folder that is to appear with the manifest in it

if [ -n "$uninstall" ]; then
    first_missing=$(missing_folders | sed -n 1p)
    if [ ! -f "$old" ] && [ -n "$first_missing" ] && [ -d "$(bud "$first_missing")" ]; then
        # an installation that ended before its manifest was in place
        [ -n "$dry_run" ] || rm -rf "$(bud "$first_missing")"
        done_to removed "$first_missing$new"
        exit 0
    fi
    [ -f "$old" ] || die "nothing is installed here: there is no $destdir$manifest"
    if systemd_runs && [ "$(choice systemd)" = yes ] && [ -z "$dry_run" ]; then
        systemctl -q disable --now hzmetrics.timer hzmetrics-whoisonline.timer hzmetrics-serve.socket hzmetrics-serve.service || :
    fi
    take_away <"$old"
    # if we are interrupted from here on, restored files are not ours
    awk '$1 == "choice" || $1 == "kept" || $1 == "dir"' "$old" >"$tmp/left"
    if [ -z "$dry_run" ]; then place "$tmp/left" "$manifest" 644 root:root; fi
    put_back <"$tmp/left"
    drop "$manifest$new"
    remove "$manifest"
    if [ -z "$dry_run" ]; then
        # the folders that we created, deepest first, if they are empty
        sed -n 's/^dir //p' "$old" | LC_ALL=C sort -ru | while read -r path; do
            if rmdir "$destdir$path" 2>/dev/null; then
                say "removed $destdir$path"
            elif [ -d "$destdir$path" ]; then
                say "kept $destdir$path, which is not empty"
            fi
        done
        if systemd_runs && [ "$(choice systemd)" = yes ]; then systemctl daemon-reload; fi
    fi
    exit 0
fi

# --- install -------------------------------------------------------------------------------------

if [ ! -d "$here/bin" ] || [ ! -d "$here/deploy" ]; then
    die "$here contains nothing to install; use --uninstall to remove an installation"
fi
if [ -f "$here/SHA256SUMS" ] && command -v sha256sum >/dev/null 2>&1; then
    (cd "$here" && sha256sum -c SHA256SUMS >"$tmp/sums" 2>&1) || {
        grep -v ': OK$' "$tmp/sums" >&2 || :
        die "$here does not match its checksums; get the archive again"
    }
fi

# the choice of this run, otherwise that of the last installation, otherwise the default
if [ -z "$cron$systemd" ]; then
    cron=$(choice cron)
    systemd=$(choice systemd)
    [ "$systemd" = yes ] || systemd=
fi
if [ -n "$systemd" ]; then cron=none; else cron=${cron:-cron.d}; fi
user=${user:-$(choice user)}
if [ -z "$user" ]; then
    user=apache
    if ! id apache >/dev/null 2>&1 && id www-data >/dev/null 2>&1; then user=www-data; fi
fi
group=${group:-$(choice group)}
group=${group:-$user}
if [ -n "$root" ]; then
    if id "$user" >/dev/null 2>&1 && { : >"$tmp/probe" && chgrp "$group" "$tmp/probe"; } 2>/dev/null; then
        owned=yes
    elif [ -z "$destdir" ]; then
        die "there is no user $user with a group $group here; select another with --user and --group"
    else
        warn "there is no user $user with a group $group here: everything below $destdir is owned by root"
    fi
fi

# a folder to which others may write must not contain programs that root starts
only_root_writes() { # folder; the group root is root
    case $(stat -L -c %u:%g:%A "$1") in
        0:*:????????w?*) return 1 ;;
        0:0:*) ;;
        0:*:?????w*) return 1 ;;
        0:*) ;;
        *) return 1 ;;
    esac
}
if [ -n "$root" ]; then
    path=$prefix/bin
    while [ -n "$path" ]; do
        if [ -d "$destdir$path" ] && ! only_root_writes "$destdir$path"; then
            die "users other than root may write to $destdir$path, and root starts programs there: chown root:root $destdir$path; chmod go-w $destdir$path"
        fi
        path=${path%/*}
    done
fi

: >"$tmp/manifest"
begun=
noted() { grep -qxF "$*" "$tmp/manifest"; }
note() {
    if noted "$*"; then return 0; fi
    say "$*" >>"$tmp/manifest"
    if [ -n "$begun" ]; then say "$*" >>"$destdir$manifest"; fi
}
note choice prefix "$prefix"
note choice cron "$cron"
note choice systemd "${systemd:-no}"
note choice user "$user"
note choice group "$group"

begin() { # before the first change: the manifest, with what the last installation left
    if [ -n "$begun$dry_run" ]; then return 0; fi
    begun=yes unfinished=yes
    if [ -n "$destdir" ]; then mkdir -p "$destdir"; fi
    missing_folders >"$tmp/missing"
    sed 's/^/dir /' "$tmp/missing" | cat "$tmp/manifest" - >"$tmp/begin"
    if [ -f "$old" ]; then sed '/^choice /d' "$old" >>"$tmp/begin"; fi
    first=$(sed -n 1p "$tmp/missing")
    if [ -z "$first" ]; then
        place "$tmp/begin" "$manifest" 644 root:root
        return 0
    fi
    # the folders and the manifest appear at once
    below=${manifest%/*}
    below=${below#"$first"}
    rm -rf "$(bud "$first")"
    mkdir -p "$(bud "$first")$below"
    place "$tmp/begin" "$first$new$below/${manifest##*/}" 644 root:root
    mv "$(bud "$first")" "$destdir$first"
    while read -r path; do
        own "$destdir$path" root:root
        say "dir $path" >>"$tmp/manifest"
        done_to made "$path"
    done <"$tmp/missing"
}

owner_is() { # path with destdir, owner:group
    [ -z "$owned" ] || [ "$(stat -c %U:%G "$1")" = "$2" ]
}
make_folder() { # path with destdir, mode, owner:group
    # where others may write, what we created could be replaced before it gets its owner
    if [ -n "$owned" ] && ! only_root_writes "${1%/*}" && [ "$3" = "$user:$group" ]; then
        as_user mkdir -m "$2" "$1"
    else
        mkdir -m "$2" "$1"
        own "$1" "$3"
    fi
}
as_user() {
    if command -v setpriv >/dev/null 2>&1; then
        setpriv --reuid "$(id -u "$user")" --regid "$(getent group "$group" | cut -d: -f3)" --clear-groups "$@"
    else
        runuser -u "$user" -- "$@"
    fi
}
folder() { # path, mode, owner:group: made where there is none; one that is there is left alone
    if [ -z "$1" ]; then return 0; fi
    if [ -d "$destdir$1" ]; then
        if had dir "$1"; then note dir "$1"; fi
        return 0
    fi
    if noted dir "$1"; then return 0; fi # of a dry run
    begin
    if [ -d "$destdir$1" ]; then return 0; fi
    folder "${1%/*}" 755 root:root
    note dir "$1"
    if [ -z "$dry_run" ]; then make_folder "$destdir$1" "$2" "$3"; fi
    done_to made "$1"
}
spare() { # a name for what was there before: nothing reads a file of that ending
    spared=$1.rpmorig
    n=1
    while there "$spared"; do
        n=$((n + 1))
        spared=$1.$n.rpmorig
    done
    say "$spared"
}
make_way() { # sort, path, whether it is to be written: what is not ours is kept
    if had kept "$2"; then
        note "$(awk -v path="$2" '$1 == "kept" && $NF == path' "$old" | sed -n 1p)"
    elif had "$1" "$2" && ! grep -q '^kept ' "$old" && there "$2.rpmorig"; then
        note kept "$2.rpmorig" "$2" # an older release had no such lines
    fi
    if [ -z "$3" ] || ! there "$2" || had "$1" "$2"; then return 0; fi
    begin
    kept=$(spare "$2")
    note kept "$kept" "$2"
    [ -n "$dry_run" ] || mv "$destdir$2" "$destdir$kept"
    done_to "kept, as $kept, the older" "$2"
}
differs() { # source, path
    [ ! -f "$destdir$2" ] || [ -L "$destdir$2" ] || ! cmp -s "$1" "$destdir$2"
}
to_write() { if differs "$1" "$2"; then say yes; fi; }
write() { # source, path, mode, owner:group
    target=$destdir$2
    if ! differs "$1" "$2"; then
        if [ "$(stat -c %a "$target")" != "$3" ] || ! owner_is "$target" "$4"; then
            if [ -z "$dry_run" ]; then
                own "$target" "$4"
                chmod "$3" "$target"
            fi
            done_to 'set mode and owner of' "$2"
        fi
        return 0
    fi
    begin
    # a running program keeps its old file
    [ -n "$dry_run" ] || place "$1" "$2" "$3" "$4"
    done_to wrote "$2"
}
put() { # source, path, mode, owner:group
    folder "${2%/*}" 755 root:root
    make_way file "$2" "$(to_write "$1" "$2")"
    note file "$2"
    write "$1" "$2" "$3" "$4"
}
fill_in() { # a file of deploy/, with the names of this installation
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@USER@|$user|g" -e "s|@GROUP@|$group|g" "$here/deploy/$1" >"$tmp/filled"
}
setting() { # file of deploy/, path: what the administrator changed is left as it is
    fill_in "$1"
    folder "${2%/*}" 755 root:root
    if had setting "$2" && [ -f "$destdir$2" ] && ! is_ours setting "$2"; then
        awk -v path="$2" '$1 == "setting" && $NF == path' "$old" >"$tmp/lines"
        while read -r line; do note "$line"; done <"$tmp/lines"
        make_way setting "$2" ''
        if differs "$tmp/filled" "$2"; then say "left $destdir$2 as it was edited"; fi
        return 0
    fi
    make_way setting "$2" "$(to_write "$tmp/filled" "$2")"
    note setting "$(sum_of "$tmp/filled")" "$2"
    write "$tmp/filled" "$2" 644 root:root
}
config() { # file of deploy/, path: only where there is none
    if there "$2"; then
        if had config "$2"; then note "$(awk -v path="$2" '$1 == "config" && $3 == path' "$old" | sed -n 1p)"; fi
        return 0
    fi
    note config "$(sum_of "$here/deploy/$1")" "$2"
    write "$here/deploy/$1" "$2" 640 "root:$group"
}
link() { # text of the link, path
    folder "${2%/*}" 755 root:root
    right=
    if [ -L "$destdir$2" ] && [ "$(readlink "$destdir$2")" = "$1" ]; then right=yes; fi
    make_way link "$2" "$([ -n "$right" ] || say yes)"
    note link "$2"
    if [ -n "$right" ]; then return 0; fi
    begin
    if [ -z "$dry_run" ]; then
        if there "$2"; then rm -f "$destdir$2"; fi
        ln -s "$1" "$destdir$2"
    fi
    done_to wrote "$2"
}
lines_into_crontab() { # path
    folder "${1%/*}" 700 root:root
    before=theirs
    if had crontab "$1"; then
        before=$(awk -v path="$1" '$1 == "crontab" && $3 == path { print $2 }' "$old")
    elif [ ! -f "$destdir$1" ]; then
        before=ours
    fi
    note crontab "$before" "$1"
    fill_in cron.spool
    : >"$tmp/crontab"
    if [ -f "$destdir$1" ]; then without_ours "$destdir$1" >"$tmp/crontab"; fi
    cat "$tmp/filled" >>"$tmp/crontab"
    if [ ! -f "$destdir$1" ]; then
        keeper=$group
        case $1 in */crontabs/*) if grep -q '^crontab:' /etc/group 2>/dev/null; then keeper='crontab'; fi ;; esac
        write "$tmp/crontab" "$1" 600 "$user:$keeper"
    elif ! cmp -s "$tmp/crontab" "$destdir$1"; then
        begin
        [ -n "$dry_run" ] || replace "$tmp/crontab" "$1"
        done_to 'put our lines into' "$1"
    fi
}

folder "$prefix/bin" 755 root:root
for program in "$here"/bin/*; do
    put "$program" "$prefix/bin/${program##*/}" 755 root:root
done
# crontabs call this one by either path; the hook is started by root
put "$here/deploy/hzmetrics.py" "$prefix/bin/hzmetrics.py" 755 root:root
link ../../bin/hzmetrics.py "$prefix/metrics/bin/hzmetrics.py"
for path in "$prefix/metrics" "$prefix/metrics/bin"; do
    # the home of the port belongs to its user
    if [ -n "$root" ] && [ -d "$destdir$path" ] && ! only_root_writes "$destdir$path"; then
        warn "users other than root may write to $destdir$path: no crontab of root should start $prefix/metrics/bin/hzmetrics.py"
        break
    fi
done
fill_in hzmetrics-postrotate.sh
put "$tmp/filled" "$prefix/bin/hzmetrics-postrotate.sh" 755 root:root
(cd "$here" && find share -type f | LC_ALL=C sort) >"$tmp/share"
while read -r file; do
    put "$here/$file" "$prefix/$file" 644 root:root
done <"$tmp/share"
put "$here/install.sh" "$prefix/share/hzmetrics/install.sh" 755 root:root

folder /etc/hubzero-metrics 750 "root:$group"
if [ -e "$destdir$prefix/metrics/conf/hzmetrics.conf" ] && [ ! -e "$destdir/etc/hubzero-metrics/access.cfg" ]; then
    # the one file of the port has everything; an access.cfg would hide it
    say "found $destdir$prefix/metrics/conf/hzmetrics.conf: that is the configuration"
else
    config access.cfg /etc/hubzero-metrics/access.cfg
    config hzmetrics.conf /etc/hubzero-metrics/hzmetrics.conf
fi
setting tmpfiles.conf /etc/tmpfiles.d/hzmetrics.conf
setting logrotate.conf /etc/logrotate.d/hzmetrics
for part in metrics daily imported; do
    folder "/var/log/hubzero/$part" 750 "$user:$group"
done
for logs in /var/log/httpd /var/log/apache2; do
    if [ -d "$destdir$logs" ]; then
        folder "$logs/daily" 750 "$user:$group"
        folder "$logs/imported" 750 "$user:$group"
    fi
done

case $cron in
    cron.d) setting cron.d /etc/cron.d/hubzero-metrics ;;
    spool) lines_into_crontab "$(crontab_of)" ;;
esac
if [ -n "$systemd" ]; then
    for unit in "$here"/deploy/systemd/*; do
        setting "systemd/${unit##*/}" "/etc/systemd/system/${unit##*/}"
    done
fi

# what the last installation had and this one does not: a program of an older release, the other crontab
: >"$tmp/back"
if [ -f "$old" ]; then
    awk 'NR == FNR { if ($1 != "choice" && $1 != "kept") now[$NF] = 1; next } $1 != "choice" && $1 != "dir" && !($NF in now)' \
        "$tmp/manifest" "$old" >"$tmp/gone"
    if [ -z "$systemd$dry_run" ] && [ "$(choice systemd)" = yes ] && systemd_runs; then
        systemctl -q disable --now hzmetrics.timer hzmetrics-whoisonline.timer hzmetrics-serve.socket hzmetrics-serve.service || :
    fi
    if [ -s "$tmp/gone" ]; then begin; fi
    take_away <"$tmp/gone"
    sed -n '/^kept /p' "$tmp/gone" >"$tmp/back"
    awk 'NR == FNR { if ($1 != "choice") now[$NF] = 1; next } $1 == "dir" && !($NF in now)' "$tmp/manifest" "$old" >"$tmp/dirs"
    cat "$tmp/dirs" >>"$tmp/manifest"
fi
folder "${manifest%/*}" 755 root:root
if [ -s "$tmp/back" ]; then
    # if we are interrupted, restored files must not be treated as ours
    if [ -z "$dry_run" ]; then LC_ALL=C sort -u "$tmp/manifest" "$tmp/back" >"$tmp/sorted" && place "$tmp/sorted" "$manifest" 644 root:root; fi
    put_back <"$tmp/back"
fi
LC_ALL=C sort -u "$tmp/manifest" >"$tmp/sorted"
if [ -z "$dry_run" ] && differs "$tmp/sorted" "$manifest"; then
    place "$tmp/sorted" "$manifest" 644 root:root
fi
unfinished=

if [ -z "$destdir" ] && [ -z "$dry_run" ]; then
    if [ "$changed" -gt 0 ] && command -v restorecon >/dev/null 2>&1; then
        restorecon -R "$prefix/bin" /etc/hubzero-metrics 2>/dev/null || :
    fi
    if command -v systemd-tmpfiles >/dev/null 2>&1; then
        systemd-tmpfiles --create /etc/tmpfiles.d/hzmetrics.conf || warn 'systemd-tmpfiles failed: /run/hzmetrics is missing'
    elif [ ! -d /run/hzmetrics ]; then
        mkdir -m 755 /run/hzmetrics && own /run/hzmetrics "$user:$group"
    fi
    if [ "$changed" -gt 0 ] && [ -n "$systemd" ] && systemd_runs; then systemctl daemon-reload; fi
fi

# the original scripts write to the same tables
for file in "$destdir"/etc/crontab "$destdir"/etc/cron.d/* "$destdir"/var/spool/cron/* "$destdir"/var/spool/cron/crontabs/*; do
    case $file in *.rpmorig | *.rpmsave) continue ;; esac
    if [ -f "$file" ] && grep -q '^[^#]*/opt/hubzero/bin/metrics/' "$file" 2>/dev/null; then
        warn "$file still runs the original scripts: comment them out before the first run (docs/legacy-cron.md)"
    fi
    if [ -f "$file" ] && grep -q '^[^#]*hzmetrics\.py.* tick' "$file" 2>/dev/null && [ "$cron" != none ]; then
        warn "$file also runs hzmetrics.py tick, which is hzmetrics now: one of the two lines is enough"
    fi
done

if [ -n "$owned" ] && [ -z "$destdir$dry_run" ] && ! as_user test -x "$prefix/bin/hzmetrics"; then
    warn "$user cannot start $prefix/bin/hzmetrics; \`namei -l $prefix/bin/hzmetrics\` shows which folder is closed"
fi
if [ "$changed" -eq 0 ]; then
    say 'everything is there already: nothing was changed'
elif [ -z "$dry_run" ] && [ -z "$destdir" ]; then
    say
    say 'Next:'
    say "  fill in /etc/hubzero-metrics/access.cfg, and \`site = NAME\` in /etc/hubzero.conf"
    say "  runuser -u $user -- $prefix/bin/hzmetrics doctor"
    say "  runuser -u $user -- $prefix/bin/hzmetrics init"
    if [ -n "$systemd" ]; then say '  systemctl enable --now hzmetrics.timer hzmetrics-whoisonline.timer'; fi
fi
