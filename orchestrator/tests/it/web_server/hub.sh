# A hub on a fresh Debian, with ours installed as an administrator does it: files of $T are what it is made
# of, $INSTALL are further options of the installer.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022

rm -rf /var/log/apache2 /var/log/hubzero /etc/apache2 /etc/hubzero-metrics /etc/hubzero.conf /opt/hubzero /var/www
install -d -o root -g adm -m 750 /var/log/apache2
mkdir -p /etc/apache2 /var/www/html /var/www/hub/app/site/stats/maps
chown -R www-data:www-data /var/www/hub
sh "$T/package/install.sh" --user www-data --group www-data $INSTALL >"$T/out/installed"
for name in $PROGRAMS; do mount --bind "$BUILT/$name" "/opt/hubzero/bin/$name"; done
install -o root -g www-data -m 640 "$T/access.cfg" /etc/hubzero-metrics/access.cfg
install -o root -g www-data -m 640 "$T/dns.conf" /etc/hubzero-metrics/hzmetrics.conf
echo 'site = hub' >/etc/hubzero.conf

