# The folder of Rocky Linux by docs/web-server.md: what the user reads goes to $T/out/read.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
id apache >/dev/null 2>&1 || useradd -r -M -s /usr/sbin/nologin apache
rm -rf /var/log/httpd
install -d -o root -g root -m 700 /var/log/httpd
log=/var/log/httpd/hub-access.log
(umask 077 && echo first >"$log")
sh -eu "$T/rocky"
cp "$T/logrotate" /etc/logrotate.d/hub
chmod 644 /etc/logrotate.d/hub
rotate() { logrotate --force --state /run/logrotate.state /etc/logrotate.d/hub; }
rotate
# the next one was made by logrotate
echo second >>"$log"
sed -i /dateyesterday/d /etc/logrotate.d/hub
rotate
getfacl -p /var/log/httpd /var/log/httpd/daily/*
setpriv --reuid "$(id -u apache)" --regid "$(id -g apache)" --init-groups sh -c 'cat /var/log/httpd/daily/*' >"$T/out/read"
# moved away, as archive does
setpriv --reuid "$(id -u apache)" --regid "$(id -g apache)" --init-groups sh -c 'mv /var/log/httpd/daily/* /var/log/httpd/imported/'
setpriv --reuid nobody --regid nogroup --clear-groups sh -c 'cat /var/log/httpd/imported/* 2>/dev/null' >"$T/out/others" || :
