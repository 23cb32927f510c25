#!/bin/bash
# The proof on a real system: boots a throw-away Debian 12 in qemu, with systemd as its first process
# and a real ALSA sequencer, and has tests/vm/proof.py install and break the service there.
#
#   tests/vm/run.sh [RESULT]      prints the table, and writes it to RESULT (docs/vm-proof.md)
#
# Needs Debian or Ubuntu on amd64 with these, no root, and the network the first time (1.5 GB, kept in
# $SEGUE_VM, by default ~/.cache/segue-vm; take that away to have it built anew):
#   apt install qemu-system-x86 mmdebstrap genext2fs e2fsprogs uidmap python3-pip
# A minute or two with KVM; without it qemu emulates each instruction, 10 to 50 times slower: then the
# times in the table say nothing, and their bounds are wider.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
vm=${SEGUE_VM:-$HOME/.cache/segue-vm} result=${1:-}
limit=${SEGUE_VM_SECONDS:-2400}
python=${PYTHON:-python3}
packages=systemd-sysv,udev,dbus,libpam-systemd,kmod,procps,python3-venv,alsa-utils,make
packages+=,linux-image-amd64,initramfs-tools
mkdir -p "$vm"
job=$(mktemp -d) && trap 'rm -rf "$job"' EXIT

# What is proved is what lies here: a wheel of it, and the wheels that it needs.
mkdir "$job/job" "$job/source"
cp -r Makefile README.md config.yaml docs systemd tests "$job/job"
cp -r pyproject.toml setup.py MANIFEST.in README.md LICENSE config.yaml docs systemd daemon export \
    "$job/source"
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$job/job/wheel" "$job/source"
wheels() {
    "$python" -m pip download --quiet --dest "$vm/wheels" --only-binary=:all: --python-version 3.11 \
        --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "$@"
}

if [ ! -e "$vm/ready" ]; then
    rm -rf "$vm"/{wheels,root.ext2,boot}
    mkdir "$vm/boot"
    wheels "$job"/job/wheel/*.whl
    rm -f "$vm"/wheels/segued-*
    # a small initrd: the disk and its file system, no more
    mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --include="$packages" --format=ext2 \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
        --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/segue"' \
        --essential-hook='printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
        --customize-hook="copy-in '$vm/wheels' /opt" \
        --customize-hook='copy-in tests/vm/proof.service /etc/systemd/system' \
        --customize-hook='chroot "$1" python3 -m venv /opt/segue' \
        --customize-hook='env -u PIP_FIND_LINKS -u PIP_CERT chroot "$1" \
            sh -c "/opt/segue/bin/pip install --quiet --no-index /opt/wheels/*.whl"' \
        --customize-hook='rm -r "$1/opt/wheels"' \
        --customize-hook='chroot "$1" systemctl enable proof.service' \
        --customize-hook='echo guest >"$1/etc/hostname"; : >"$1/etc/machine-id"' \
        --customize-hook="copy-out /boot '$vm'" \
        bookworm "$vm/root.ext2"
    truncate --size=+512M "$vm/root.ext2" && resize2fs "$vm/root.ext2"
    touch "$vm/ready"
fi

tar -C "$job" -cf "$job/job.tar" job
boot() { # how long, then what is particular to this boot
    local seconds=$1
    shift
    timeout "$seconds" qemu-system-x86_64 -nodefaults -display none -no-reboot -M q35 -m 1024 -smp 2 \
        -kernel "$vm"/boot/vmlinuz-* -initrd "$vm"/boot/initrd.img-* \
        -drive file="$vm/root.ext2",format=raw,if=virtio,snapshot=on \
        -drive file="$job/job.tar",format=raw,if=virtio,readonly=on \
        -serial file:"$job/console" -serial stdio "$@" </dev/null
}
append="root=/dev/vda rw console=ttyS0 quiet mitigations=off panic=-1 audit=0 apparmor=0 net.ifnames=0"
# A nested host may have a /dev/kvm under which nothing ever runs: it counts when a kernel speaks.
accelerator=tcg
if [ -w /dev/kvm ]; then
    boot 20 -accel kvm -cpu host -append "$append loglevel=7 systemd.unit=poweroff.target" || true
    [ -s "$job/console" ] && accelerator=kvm
fi
cpu=$([ $accelerator = kvm ] && echo host || echo max,la57=off)
boot "$limit" -accel $accelerator -cpu "$cpu" -append "$append segue.accelerator=$accelerator" |
    tr -d '\r' | tee "$job/result" || { tail -n 20 "$job/console" >&2; exit 1; }
[ -z "$result" ] || cp "$job/result" "$result"
grep -q '^All .* as expected' "$job/result"
