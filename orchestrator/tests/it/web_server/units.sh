# The command lines of the units, each confined as its unit says: with what a mount namespace and setpriv
# can do. What needs the kernel's filters (system calls, address families, namespaces) is not tried here.
sh -eu "$T/debian"
cp "$T"/logs/* /var/log/apache2/daily/
chown root:adm /var/log/apache2/daily/*
chmod 640 /var/log/apache2/daily/*

cat >/confine <<'END'
# a unit's restrictions, and then its command line or $PROBE
unit=$1
value() { sed -n "s/^$1=//p" "$unit"; }
read_only() { for path; do if [ -e "$path" ]; then mount --bind "$path" "$path" && mount -o remount,bind,ro "$path"; fi; done; }
mount --make-rprivate /
[ "$(value ProtectSystem)" != full ] || read_only /usr /boot /etc
[ "$(value ProtectHome)" != read-only ] || read_only /home /root
[ "$(value ProtectKernelTunables)" != yes ] || read_only /proc/sys
if [ "$(value PrivateDevices)" = yes ]; then
    mkdir -p /run/devices
    mount -t tmpfs none /run/devices
    for device in null zero full random urandom tty; do cp -a "/dev/$device" /run/devices/; done
    # as systemd does: shared memory stays, and the server may be there
    mkdir /run/devices/shm
    mount --rbind /dev/shm /run/devices/shm
    mount --rbind /run/devices /dev
fi
if [ "$(value PrivateTmp)" = yes ]; then
    # the folders of the test are below /tmp, and no part of it
    mount -t tmpfs -o mode=1777 none /var/tmp
fi
umask "$(value UMask)"
[ "$(value NoNewPrivileges)" != yes ] || privileges=--no-new-privs
[ -n "$(value CapabilityBoundingSet)" ] || bounding=-all
user=$(value User)
cd /
# shellcheck disable=SC2086
exec setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --init-groups ${privileges-} \
    --inh-caps=-all --bounding-set="${bounding-+all}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    HTTP_PROXY="$PROXY" HTTPS_PROXY="$PROXY" ALL_PROXY="$PROXY" ${PROBE:-$(value ExecStart)}
END
confined() { unshare -m sh -eu /confine "/etc/systemd/system/$1.service" </dev/null; }

# the confinement holds
PROBE="sh $T/probe" confined hzmetrics >"$T/out/probe" 2>&1
# and the work is done in it
confined hzmetrics-whoisonline >"$T/out/said" 2>&1
confined hzmetrics >>"$T/out/said" 2>&1
find /var/log/apache2/daily /var/log/hubzero/daily -type f >"$T/out/left"
find /var/www/hub/app/site/stats/maps -type f >"$T/out/maps"
cat /var/log/hubzero/metrics/hzmetrics.log
