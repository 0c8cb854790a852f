#!/bin/bash
# Runs the systemd units for real: boots systemd in namespaces of its own over a throw-away layer on this machine's files,
# with Debian's PostgreSQL and nginx, a Chroma server, vLLM for the CPU and Kenpin, each from its unit as its own user.
#
#   deploy/trial/units.sh MODEL VLLM_SITE_PACKAGES [FOLDER]      # as root; 4 GB of disk under FOLDER (/tmp/kenpin-trial)
#
# MODEL is a folder that vLLM can serve (tests/vllm/random_model.py makes one); VLLM_SITE_PACKAGES is that folder of a
# Python 3.11 that has vLLM for the CPU. Nothing outside FOLDER is changed. Needs Debian 12: systemd, postgresql, nginx,
# openssl, iproute2, python3-venv. Prints what it finds; its exit status is the number of checks that failed.
set -euo pipefail
model=$(realpath "$1") packages=$(realpath "$2") folder=${3:-/tmp/kenpin-trial}
here=$(realpath "$(dirname "$0")") repository=$(realpath "$(dirname "$0")/../..")
export model packages folder here repository
mkdir -p "$folder"
[ -f "$folder/disk.img" ] || { truncate -s 8G "$folder/disk.img"; mkfs.ext4 -q "$folder/disk.img"; }

# 1. Install into the layer, as an administrator does.
unshare --mount --propagation private bash "$here/layer.sh" install

# 2. Boot, in namespaces of its own; the one cable to here stands for the network outside.
group=/sys/fs/cgroup; [ -d $group/unified ] && group=$group/unified
mkdir -p "$group/kenpin-trial"
( echo $BASHPID > "$group/kenpin-trial/cgroup.procs"
  exec unshare --fork --pid --mount --net --uts --ipc --cgroup --propagation private bash "$here/layer.sh" boot
) > "$folder/boot.log" 2>&1 &
starter=$!
for _ in $(seq 100); do
  init=$(pgrep -P $starter | head -1 || true)
  [ -n "$init" ] && [ "$(cat /proc/"$init"/comm 2>/dev/null)" = systemd ] && break
  sleep 0.2
done
[ "$(cat /proc/"$init"/comm)" = systemd ] || { cat "$folder/boot.log"; exit 99; }
inside() { nsenter -t "$init" -m -u -i -n -p -C -r -w -- /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
finish() { kill -s SIGRTMIN+4 "$init" 2>/dev/null || true; for _ in $(seq 60); do kill -0 "$init" 2>/dev/null || break; sleep 1; done
  kill -9 "$init" 2>/dev/null || true; ip link del kenpin-out 2>/dev/null || true; }
trap finish EXIT
ip link add kenpin-out type veth peer name kenpin-in
ip link set kenpin-in netns "$init"
ip addr add 10.211.55.1/30 dev kenpin-out; ip link set kenpin-out up
inside ip addr add 10.211.55.2/30 dev kenpin-in; inside ip link set kenpin-in up; inside ip link set lo up
export -f inside; export init
bash "$here/check.sh"
