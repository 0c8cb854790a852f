#!/bin/bash
# Called by units.sh in a mount namespace of its own: `install` puts everything into the layer, `boot` becomes systemd.
set -euo pipefail
disk=$folder/disk root=$folder/root
mkdir -p "$disk" "$root"
mount -o loop "$folder/disk.img" "$disk"
mkdir -p "$disk/up" "$disk/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/up,workdir=$disk/work" "$root"

install() {
  mkdir -p "$root/opt/kenpin" "$root/etc/kenpin" "$root/srv/models/small" "$root/etc/nginx/tls"
  git -C "$repository" archive HEAD | tar -x -C "$root/opt/kenpin"
  cp -r "$repository/deploy" "$root/opt/kenpin/"
  cp "$model"/* "$root/srv/models/small/"; chmod -R a+rX "$root/srv/models"
  mount --bind /proc "$root/proc"; mount --bind /dev "$root/dev"
  chroot "$root" make -s -C /opt/kenpin setup PYTHON=/usr/bin/python3
  [ -x "$root/srv/vllm/bin/python" ] || chroot "$root" /usr/bin/python3 -m venv --without-pip /srv/vllm
  rm -rf "$root/srv/vllm/lib/python3.11/site-packages"; ln -s "$packages" "$root/srv/vllm/lib/python3.11/site-packages"
  # As docs/serving.md says, from here on.
  cp "$root"/opt/kenpin/deploy/systemd/*.service "$root/etc/systemd/system/"
  command install -D -m 644 "$root/opt/kenpin/deploy/systemd/kenpin.sysusers" "$root/etc/sysusers.d/kenpin.conf"
  command install -m 755 "$root/opt/kenpin/deploy/systemd/kenpin-admin" "$root/usr/local/sbin/"
  chroot "$root" systemd-sysusers
  sed 's#bin/kenpin "#bin/python /opt/kenpin/deploy/trial/work.py "#' "$root/usr/local/sbin/kenpin-admin" > "$root/usr/local/sbin/kenpin-admin-python"
  chmod 755 "$root/usr/local/sbin/kenpin-admin-python"
  umask 077
  [ -f "$root/etc/kenpin/master.key" ] || openssl rand -base64 32 > "$root/etc/kenpin/master.key"
  key=$(openssl rand -hex 16) word=$(openssl rand -hex 16)
  printf '%s\n' KENPIN_PLANNER=vllm "KENPIN_VLLM_KEY=$key" "KENPIN_DATABASE_URL=postgresql://kenpin:$word@127.0.0.1/kenpin" \
    KENPIN_CHROMA_HOST=127.0.0.1 KENPIN_CHROMA_PORT=8001 KENPIN_PUBLIC_URL=https://kenpin.example.com \
    KENPIN_VLLM_TIMEOUT=300 KENPIN_MAX_SECONDS=900 > "$root/etc/kenpin/kenpin.env"
  printf '%s\n' KENPIN_MODEL=/srv/models/small KENPIN_VLLM_PYTHON=/srv/vllm/bin/python "KENPIN_VLLM_KEY=$key" \
    OMP_NUM_THREADS=1 > "$root/etc/kenpin/vllm.env"
  echo "$word" > "$root/etc/kenpin/database.word"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kenpin.example.com -addext \
    subjectAltName=DNS:kenpin.example.com -keyout "$root/etc/nginx/tls/privkey.pem" -out "$root/etc/nginx/tls/fullchain.pem" 2>/dev/null
  umask 022
  sed 's/server kenpin:8501/server 127.0.0.1:8501/' "$root/opt/kenpin/deploy/nginx/kenpin.conf" > "$root/etc/nginx/conf.d/kenpin.conf"
  rm -f "$root/etc/nginx/sites-enabled/default"
  # Of this machine's own services nothing is started: only what the trial names.
  printf '[Unit]\nRequires=sysinit.target dbus.socket\nAfter=sysinit.target\nAllowIsolate=yes\n' > "$root/etc/systemd/system/trial.target"
  sync
}

boot() {
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t cgroup2 none "$root/sys/fs/cgroup"
  mount -t tmpfs none "$root/run"; mount -t tmpfs -o mode=1777 none "$root/tmp"
  mount -t tmpfs -o mode=755 none "$root/dev"
  for name in null zero full random urandom tty; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
  mount -t tmpfs -o mode=1777 none "$root/dev/shm"
  for n in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do ln -s "${n#*:}" "$root/dev/${n%%:*}"; done
  hostname kenpin-trial
  exec chroot "$root" /usr/bin/env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=trial.target \
    --log-target=console --show-status=0
}

"$1"
