# A copy of this machine below $T/m that forgets its changes, and $T/script in it. $T is the same
# folder here and there; so is that of the database's socket. Runs in a mount namespace.
set -eu
M=$T/m
mkdir -p "$M" "$T/layers" "$T/out"
mount -t tmpfs -o mode=755 none "$T/layers"
mkdir "$T/layers/upper" "$T/layers/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$T/layers/upper,workdir=$T/layers/work" "$M"
mount -t proc proc "$M/proc"
mount --rbind /dev "$M/dev"
mount -t tmpfs -o mode=755 none "$M/run"
mount -t tmpfs -o mode=1777 none "$M/tmp"
chmod 777 "$T/out"
for folder in "$T" "$BUILT" ${SOCKET-}; do
    mkdir -p "$M$folder"
    mount --bind "$folder" "$M$folder"
done
chroot "$M" sh -eu "$T/script"
