#!/bin/sh
# Builds the image of the Containerfile without a registry, and checks it: for machines that reach only a
# Debian mirror, or nothing but a filled cargo registry and FOLDER/*.tar. Base images of the same names are
# made from Debian packages and from the Rust of this machine, so this tries the build context, all steps
# and the result, but not the base images themselves.
#
#   sudo scripts/package/try-image.sh FOLDER [PROFILE]     (needs buildah, mmdebstrap and cargo)
#
# FOLDER keeps the images and what was compiled, for the next time; remove it when done.
set -eu
folder=$(realpath -m "$1")
profile=${2:-dist}
checkout=$(realpath "$(dirname "$0")/../..")
# of the same path in the image as here: what was compiled here for the same profile can be put into FOLDER/target
cargo_home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$folder/target"

podman() { buildah --root "$folder/store" --runroot "$folder/run" --storage-driver vfs "$@"; }
say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }

# name of an image, as the Containerfile has it
base() { sed -n "s/^FROM \([^ ]*$1[^ ]*\).*/\1/p" "$checkout/Containerfile"; }

debian() { # file, variant, packages
    [ -f "$folder/$1" ] || {
        mmdebstrap --quiet --variant="$2" --include="$3" bookworm "$folder/new.tar"
        mv "$folder/new.tar" "$folder/$1"
    }
}

builder() {
    debian build.tar minbase gcc,libc6-dev,ca-certificates,make
    sysroot=$(cd "$checkout" && rustc --print sysroot)
    container=$(podman from scratch)
    podman add -q "$container" "$folder/build.tar" /
    podman copy -q "$container" "$sysroot" /usr/local/rust
    podman config --env PATH=/usr/local/rust/bin:/usr/bin:/bin --env CARGO_HOME="$cargo_home" \
        --env CARGO_NET_OFFLINE=true "$container"
    podman commit -q --rm "$container" "$(base rust:)"
}

# as the distroless one: libraries, certificates and time zones, no shell
small() {
    home=home/nonroot
    debian small.tar extract libc6,libgcc-s1,ca-certificates,tzdata,base-files
    container=$(podman from scratch)
    podman add -q "$container" "$folder/small.tar" /
    root=$(podman mount "$container")
    echo 'root:x:0:0:root:/root:/sbin/nologin' >"$root/etc/passwd"
    echo "nonroot:x:65532:65532:nonroot:/$home:/sbin/nologin" >>"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
    mkdir -p "$root/$home" "$root/etc/ssl/certs"
    chown 65532:65532 "$root/$home"
    find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$root/etc/ssl/certs/ca-certificates.crt"
    podman umount "$container" >/dev/null
    podman commit -q --rm "$container" "$(base distroless)"
}

say 'base images'
podman inspect --type image "$(base rust:)" >/dev/null 2>&1 || builder
podman inspect --type image "$(base distroless)" >/dev/null 2>&1 || small

say "the image, with profile $profile"
number=$(sed -n 's/^version = "\(.*\)"/\1/p' "$checkout/Cargo.toml" | head -n 1)
podman build -q --pull-never --isolation chroot -f "$checkout/Containerfile" --build-arg PROFILE="$profile" \
    --build-arg VERSION="$number ($(git -C "$checkout" describe --always --dirty))" \
    -v "$cargo_home/registry:$cargo_home/registry" -v "$folder/target:/hzmetrics/target" -t hzmetrics "$checkout"

say 'what is in it'
container=$(podman from --pull-never localhost/hzmetrics)
trap 'podman rm "$container" >/dev/null' EXIT
root=$(podman mount "$container")
in_image() { podman run --isolation chroot "$@"; }
du -sh "$root" "$root/usr/bin/hzmetrics" "$root/usr/libexec/hzmetrics"
user=$(podman inspect --type image --format '{{.OCIv1.Config.User}}' localhost/hzmetrics)
[ "$user" = nonroot ] || fail "it runs as $user"
for name in sh bash dash ash busybox apt dpkg; do
    found=$(find "$root" -name "$name" -type f -perm /111)
    [ -z "$found" ] || fail "there is $found"
done
for program in "$root"/usr/bin/hzmetrics "$root"/usr/libexec/hzmetrics/*; do
    said=$(in_image "$container" "${program#"$root"}" --version)
    echo "$said"
    case $said in "${program##*/} $number ("*) ;; *) fail "$program says $said" ;; esac
done

say 'what it can do, as a user who may read one of two logs'
logs=$folder/logs
rm -rf "$logs"
mkdir -p "$logs/open" "$logs/closed"
for where in open closed; do
    for second in 10 20 30; do
        echo "192.0.2.1 - - [11/Jan/2025:10:00:$second -0500] \"GET /resources/$second HTTP/1.1\" 200 1000 \"-\" \"Mozilla/5.0\""
    done >"$logs/$where/hub-access.log-20250112"
done
chmod 600 "$logs/closed/hub-access.log-20250112"
pipe() { in_image -v "$1:/logs:ro" "$container" /usr/bin/hzmetrics run-chain pipe 2025-01 LOGS=/logs; }
pipe "$logs/open" >"$folder/cells.csv"
grep -q '^cell,' "$folder/cells.csv" || fail 'there are no cells'
if pipe "$logs/closed" >/dev/null; then fail 'it reads what only root may read'; fi
say 'all is well'
