#!/bin/bash
# Called by units.sh once systemd is up: starts the services in the order of their units, uses them, stops them in reverse.
set -uo pipefail
failed=0
ok() { if eval "$2"; then echo "ok      $1"; else echo "FAILED  $1"; failed=$((failed + 1)); fi; }
code() { curl -s -o /dev/null -m 20 -k --resolve kenpin.example.com:443:10.211.55.2 --resolve kenpin.example.com:80:10.211.55.2 -w '%{http_code}' "$@"; }
closed() { ! timeout 3 bash -c "exec 3<>/dev/tcp/10.211.55.2/$1" 2>/dev/null; }
active() { [ "$(inside systemctl is-active "$1")" = active ]; }
for _ in $(seq 60); do inside systemctl is-active -q trial.target && break; sleep 0.5; done

echo "== start"
inside systemctl start postgresql || true
word=$(inside cat /etc/kenpin/database.word)
query() { inside setpriv --reuid postgres --regid postgres --init-groups psql -qAt -c "$1"; }
[ "$(query "select 1 from pg_roles where rolname = 'kenpin'")" = 1 ] || query "create role kenpin login"
query "alter role kenpin password '$word'"
[ "$(query "select 1 from pg_database where datname = 'kenpin'")" = 1 ] || query "create database kenpin owner kenpin"
inside systemctl start kenpin-chroma kenpin-vllm
echo 'four unrelated words here' | inside kenpin-admin users add ann --role administrator --role reviewer --role operator --stdin
inside systemctl start kenpin nginx
for _ in $(seq 300); do [ "$(code https://kenpin.example.com/_stcore/health)" = 200 ] && break; sleep 1; done
for _ in $(seq 500); do inside grep -q 'Application startup complete' /var/lib/kenpin-vllm/vllm.log 2>/dev/null && break; sleep 1; done
for unit in postgresql@15-main kenpin-chroma kenpin-vllm kenpin nginx; do ok "$unit runs" "active $unit"; done
for unit in kenpin kenpin-vllm kenpin-chroma; do
  main=$(inside systemctl show -P MainPID $unit)
  ok "$unit is the user $unit, without capabilities or a way to gain any" \
    "[ \"\$(inside ps -o user:20= -p $main | tr -d ' ')\" = $unit ] && inside grep -q 'CapBnd:.*0000000000000000' /proc/$main/status && inside grep -q 'NoNewPrivs:.*1' /proc/$main/status"
done

echo "== from outside"
ok "the sign-in page over TLS" '[ "$(code https://kenpin.example.com/auth/sign-in)" = 200 ]'
ok "plain http leads to https" '[ "$(code http://kenpin.example.com/)" = 308 ]'
for port in 8501 8000 8001 5432; do ok "port $port is closed" "closed $port"; done
echo "listening beyond loopback:"; inside ss -Hltnp | grep -v '127\.0\.0\.\|\[::1\]\|\[::ffff:127' || true
echo "what the model server's other ports say to outside:"
for port in $(inside ss -Hltn | awk '{print $4}' | grep -v '127\.0\.0\.\|\[::1\]' | sed 's/.*://' | sort -un | grep -vx '80\|443'); do
  ok "port $port is closed to outside" "closed $port"; done

inside timeout 4 bash -c 'exec 3<>/dev/tcp/10.211.55.1/9' 2>/dev/null; free=$?
inside systemd-run -q --wait --pipe -p IPAddressDeny=any -p IPAddressAllow=localhost \
  timeout 4 bash -c 'exec 3<>/dev/tcp/10.211.55.1/9' < /dev/null 2>/dev/null; kept=$?
ok "what a unit may not reach is kept from it by the kernel" '[ $free = 1 ] && [ $kept = 124 ]'

echo "== work"
inside cp -r /opt/kenpin/kenpin/samples /tmp/samples; inside chmod -R a+rX /tmp/samples
inside cp /opt/kenpin/deploy/trial/work.py /tmp/work.py
inside env COLUMNS=200 kenpin-admin doctor --planner vllm > "$folder/doctor.txt" 2>&1
ok "kenpin doctor reaches the model server" "grep -q 'a forced call kept its schema' '$folder/doctor.txt'"
grep -q 'a forced call kept its schema' "$folder/doctor.txt" || sed 's/^/  /' "$folder/doctor.txt"
inside kenpin-admin inspect /tmp/samples/panel.png "Look for scratches." --planner embedded --json > "$folder/embedded.json" 2>"$folder/embedded.err"; status=$?
ok "a turn of the embedded planner" "[ $status = 0 ] && grep -q '\"verdict\":\s*\"ng\"' $folder/embedded.json"
inside kenpin-admin inspect /tmp/samples/panel.png "Look for scratches." --planner vllm --json > "$folder/vllm.json" 2>"$folder/vllm.err"; status=$?
ok "a turn of the model server (whatever it says)" "[ $status = 0 ] && grep -q '\"backend\":\s*\"vllm\"' $folder/vllm.json"
inside kenpin-admin inspect /tmp/samples/panel.png "Show similar past cases of this scratch." --planner embedded --json > "$folder/recall.json" 2>"$folder/recall.err"; status=$?
ok "a recall over the Chroma server" "[ $status = 0 ] && grep -q '\"tool\":\s*\"recall\"' $folder/recall.json && inside test -f /var/lib/kenpin-chroma/chroma.sqlite3 && ! inside test -f /var/lib/kenpin/cases/chroma.sqlite3"
ok "a signature" "inside kenpin-admin-python sign > /dev/null"
inside kenpin-admin-python count > "$folder/before"

echo "== stop in reverse order, and start again"
for unit in nginx kenpin kenpin-vllm kenpin-chroma postgresql@15-main; do
  # Debian's postgresql.service is an umbrella, which does not wait for its clusters.
  [ $unit != postgresql@15-main ] || inside systemctl stop postgresql
  begun=$(date +%s); inside systemctl stop $unit; took=$(( $(date +%s) - begun ))
  ok "$unit stops cleanly ($took s)" '[ "$(inside systemctl show -P Result $unit)" = success ] && ! active $unit'
done
left=$(inside ps -eo user:20=,stat=,args= | grep -E "^(kenpin|postgres|www-data)" || true)
ok "no process of theirs is left" '[ -z "$left" ]'; [ -z "$left" ] || echo "$left"
inside systemctl start kenpin-chroma kenpin nginx
sleep 5
ok "PostgreSQL is started with Kenpin, which wants it" "active postgresql@15-main"
for _ in $(seq 300); do [ "$(code https://kenpin.example.com/_stcore/health)" = 200 ] && break; sleep 1; done
for _ in $(seq 60); do inside kenpin-admin-python count > "$folder/after" 2>/dev/null && break; sleep 2; done
ok "nothing was lost" "cmp $folder/before $folder/after"
ok "the audit log is whole" "inside kenpin-admin audit verify > /dev/null"
inside systemctl kill -s KILL kenpin
for _ in $(seq 60); do sleep 1; active kenpin && break; done
ok "Kenpin comes back after it was killed" "active kenpin"
[ $failed = 0 ] || for unit in kenpin kenpin-vllm kenpin-chroma nginx postgresql@15-main; do echo "== $unit"; inside journalctl -q --no-pager -n 15 -u $unit | cut -c1-200; done
echo "== $failed failed"
exit $failed
