# The machine of Debian by docs/web-server.md: files of $T are its snippets, results go to $T/out.

# what else a fresh Debian has: the stock stanza, apachectl
printf '/var/log/apache2/*.log {\n\tmissingok\n\tcreate 640 root adm\n}\n' >/etc/logrotate.d/apache2
printf '#!/bin/sh\nexec /usr/sbin/apache2 "$@"\n' >/usr/sbin/apachectl
chmod 755 /usr/sbin/apachectl
for page in counted index; do echo hello >/var/www/html/$page.html; done
cat >/etc/apache2/apache2.conf <<END
ServerRoot /etc/apache2
ServerName localhost
PidFile /run/apache.pid
DefaultRuntimeDir /run
Listen 127.0.0.1:$PORT
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
User www-data
Group www-data
ErrorLog /var/log/apache2/error.log
DocumentRoot /var/www/html
DirectoryIndex index.html
Include $T/logformat
END
install -o root -g adm -m 640 /dev/null /var/log/apache2/hub-access.log

# the page
sh -eu "$T/debian"
sh -eu "$T/stock"
cp "$T/logrotate" /etc/logrotate.d/hub
chmod 644 /etc/logrotate.d/hub

apachectl -k start
url=http://127.0.0.1:$PORT
get() { curl -s -o /dev/null "$@" || :; }
tries=0
until curl -s -o /dev/null "$url/"; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || exit 1
    sleep 0.1
done
raw() { # bytes for printf, as they are
    bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"; printf "$2" >&3; timeout 5 cat <&3 >/dev/null' - "$PORT" "$1" || :
}
# what strangers send
get -A 'Mozilla/5.0 (X11) " 1 2 3 4 "V' -e 'http://x/"y z' "$url/a?b=%20c"
get -u 'a b:c' -X PROPFIND "$url/"
get -I "$url/"
get -A '' "$url/"
get -A "$(printf '\033[31m\342\200\256x')" "$url/x"
get -A "$(printf '\377\376')" -e "$(printf '\t\\')" "$url/x"
get --path-as-is "$url/..//..//%00"
get -X '"' "$url/"
get -A _ -e _ "$url/_?_"
raw '\026\003\001\002\000\001\000\n\r\n'
raw 'GET /only\r\n\r\n'
raw '\r\n\r\n'
raw 'GET  //x  HTTP/1.1\r\n\r\n'
raw 'GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: _x \\\\ "\r\nConnection: close\r\n\r\n'

# a night: requests go on while the logs are rotated
night() { # first and last number of the requests
    (
        n=$1
        while [ "$n" -lt "$2" ]; do
            get -A 'Mozilla/5.0 (X11; Linux x86_64)' "$url/counted.html?n=$n"
            n=$((n + 1))
        done
    ) &
    requests=$!
    sleep 0.3
    logrotate --force --state /run/logrotate.state /etc/logrotate.d/apache2 /etc/logrotate.d/hub
    wait "$requests"
    # old processes write their last lines
    sleep 0.5
}
as_cron() { # a command line, as cron starts it, with further variables; the geo service is that of the test
    line=$1
    shift
    runuser -u www-data -- env -i PATH=/usr/bin:/bin HOME=/var/www LOGNAME=www-data SHELL=/bin/sh \
        HTTP_PROXY="$PROXY" HTTPS_PROXY="$PROXY" ALL_PROXY="$PROXY" "$@" \
        /bin/sh -c "cd; $line" </dev/null || echo "exit code $?: $line"
}
auth() { # day
    printf '%s 00:10:00 1001 emmy 127.0.0.1 login\n' "$(date -d "$1" +%Y-%m-%d)" >"/var/log/hubzero/daily/cmsauth.log-$(date -d "$1" +%Y%m%d)"
}
night 0 150
auth yesterday
chown www-data:www-data /var/log/hubzero/daily/*
ls -lR /var/log/apache2
as_cron "/opt/hubzero/bin/fetch-logs --site hub --logs /var/log/apache2 | /opt/hubzero/bin/import-logs --quiet --rejects $T/out/rejects --to /dev/null"
while read -r line; do as_cron "$line" 2>&1; done <"$T/seven" >"$T/out/seven.said"

# from here on with the ledger and one line for everything; the second rotation of a day has its own date
as_cron '/opt/hubzero/bin/hzmetrics init'
sed -i /dateyesterday/d /etc/logrotate.d/hub
night 150 200
apachectl -k graceful-stop
as_cron "$(cat "$T/tick")" "HZMETRICS_NOW=$(date +%Y-%m-%d)T23:30" >"$T/out/tick.said" 2>&1

echo 200 >"$T/out/sent"
find /var/log/apache2/daily /var/log/hubzero/daily -type f >"$T/out/left"
find /var/log/apache2/imported /var/log/hubzero/imported -type f >"$T/out/imported"
zcat -f /var/log/apache2/imported/hub-access.log* >"$T/out/logged"
cat /var/log/apache2/hub-access.log >>"$T/out/logged"
zcat -f /var/log/apache2/imported/hub-access.log* | grep -c 'GET /counted' >"$T/out/counted"
find /var/log/hubzero /var/log/apache2/imported /var/log/apache2/daily /run/hzmetrics -mindepth 1 -user root ! -name 'hub-access.log*' >"$T/out/of-root"
cat /var/log/hubzero/metrics/hzmetrics.log
