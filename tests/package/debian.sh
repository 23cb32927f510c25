#!/bin/bash
# README's two commands, word for word, on a minimal Debian with nothing but Python, venv, make and git.
#
#   sudo tests/package/debian.sh [SUITE [ARCHITECTURE]]     default: trixie, and this machine's
#
# What is tried is what is committed here. Of another architecture (arm64, under qemu-user) it tries
# the installation, `segued check` and `segued render` alone: tests would take hours.
#
# Needs root, debootstrap, and Debian's mirror and pip's index as this machine knows them; for another
# architecture qemu-user-static, known to the kernel (binfmt). Some 1 GB in $TMPDIR and as much from
# the network; 8 GB where PyTorch's index of CPU builds cannot be reached.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
suite=${1:-trixie} here=$(dpkg --print-architecture) arch=${2:-$(dpkg --print-architecture)}
# mounts and processes of its own: whatever happens, nothing of them is left
[ -n "${SEGUE_ALONE:-}" ] || SEGUE_ALONE=1 exec unshare --mount --pid --fork --kill-child "$0" "$@"

mirror=$(apt-get indextargets --format '$(SITE)' 'Origin: Debian' | head -n 1)
root=$(mktemp -d --suffix=-segue) && chmod 755 "$root"
finish() { umount -lq "$root"/{proc,dev/shm,dev/pts} || true; rm -rf --one-file-system "$root"; }
trap finish EXIT

echo "== Debian $suite, $arch"
debootstrap --variant=minbase --arch="$arch" --include=python3,python3-venv,make,git,ca-certificates \
    "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
rm "$root.log"
mount -t proc proc "$root/proc"
mkdir -p "$root"/dev/{shm,pts} && mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts" # terminals
ln -sf pts/ptmx "$root/dev/ptmx"
cp -L /etc/resolv.conf /etc/hosts "$root/etc" # with this machine's own name, as an installer does
authorities=/etc/ssl/certs/ca-certificates.crt # with the machine's own, if it has any
cp -L "${SSL_CERT_FILE:-$authorities}" "$root$authorities"
chroot "$root" useradd --create-home player
git clone --quiet --no-local . "$root/home/player/segue"
chroot "$root" chown -R player: /home/player/segue

inside() { # a command as that user, in the checkout, with no setting of this machine's but a proxy
    chroot --userspec=player "$root" /usr/bin/env -i HOME=/home/player USER=player LANG=C.UTF-8 \
        PATH=/usr/local/bin:/usr/bin:/bin PIP_CERT=$authorities \
        ${https_proxy:+https_proxy=$https_proxy} sh -c "cd ~/segue && $1"
}
said() { grep -m 1 "^$1 " README.md | sed 's/ *#.*//'; }
echo "== $(inside 'python3 --version; git describe --always' | paste -sd ' ')"

if [ "$arch" != "$here" ]; then
    SECONDS=0
    inside 'python3 -m venv .venv && .venv/bin/pip install --quiet .'
    echo "== installed after $SECONDS s"
    inside 'cd /tmp && ~/segue/.venv/bin/segued check | grep "^# "'
    inside '.venv/bin/segued render daemon/segued/phrases/beethoven-ode.mid /tmp/out.mid --seed 1'
    exit
fi

SECONDS=0
inside "$(said 'make run')" >"$root/run.log" 2>&1 &
until grep -q "ready on" "$root/run.log"; do
    kill -0 $! 2>/dev/null && [ $SECONDS -lt 900 ] || { cat "$root/run.log"; exit 1; }
    sleep 0.2
done
echo "== make run: ready after $SECONDS s"
cat "$root/run.log"
inside '.venv/bin/python tests/package/play.py 9080'
inside '.venv/bin/segued status' | head -n 2
inside ".venv/bin/segued status --json |
    .venv/bin/python -c 'import json, os, sys; os.kill(json.load(sys.stdin)[\"process\"], 2)'"
wait || true # make says that it was interrupted

SECONDS=0
inside "$(said 'make test')"
echo "== make test: passed after $SECONDS s"
