#!/usr/bin/env bash
# A whole terminal on this machine, for demos, tests and trying things out:
#   deploy/stack.sh up     --dir DIR [--workers N] [--terminal NAME] [--bin BIN] [--pack DIR] [--heartbeat MS]
#                          [--set KEY=VALUE]...        settings of the workers, as sallyport-worker takes them
#   deploy/stack.sh status --dir DIR
#   deploy/stack.sh down   --dir DIR
#   deploy/stack.sh worker --dir DIR N        start worker N (again)
#   deploy/stack.sh redis  --dir DIR NAME     start the Redis role NAME (galleries or ledger) again
#   deploy/stack.sh broker --dir DIR          start the broker again
# `up` makes fresh keys and configurations under DIR, starts two Redis roles, the broker and the workers as an unprivileged
# user, and waits until all are ready. Everything is loopback or unix sockets. Example:
#   deploy/stack.sh up --dir /tmp/port --workers 2 && SALLYPORT_CONFIG=/tmp/port/etc/ops.yaml build/release/bin/sallyport lane list
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
usage() { sed -n '2,12p' "$0" | cut -c3-; exit 2; }
fail() { printf 'stack.sh: %s\n' "$*" >&2; exit 1; }

verb=${1:-}; [[ $# -gt 0 ]] && shift || usage
dir= workers=1 terminal=T1 bin=$top/build/release/bin pack=$top/build/pack/face-api heartbeat=1000 operands=() settings=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --dir) dir=${2:?}; shift 2 ;;
    --workers) workers=${2:?}; shift 2 ;;
    --terminal) terminal=${2:?}; shift 2 ;;
    --bin) bin=${2:?}; shift 2 ;;
    --pack) pack=${2:?}; shift 2 ;;
    --heartbeat) heartbeat=${2:?}; shift 2 ;;
    --set) settings+=(--set "${2:?}"); shift 2 ;;
    -*) usage ;;
    *) operands+=("$1"); shift ;;
  esac
done
[[ -n $dir ]] || usage
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
[[ ${#dir} -le 70 ]] || fail "$dir: too long for unix sockets (70 characters at most); choose a shorter --dir"

# Root starts nothing as root: the programs run as the user `sallyport`, made on first need.
user=$(id -un)
drop=()
if [[ $(id -u) == 0 ]]; then
  user=sallyport
  id "$user" >/dev/null 2>&1 || useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  drop=(setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs)
fi

# start NAME COMMAND...: in the background, unprivileged, its output in log/NAME.log, its pid in run/NAME.pid.
start() {
  local name=$1; shift
  rm -f "$dir/run/$name.ready"
  "${drop[@]}" setsid "$@" >>"$dir/log/$name.log" 2>&1 </dev/null &
  echo $! >"$dir/run/$name.pid"
}
# runs PID: it is there and more than a dead entry that nobody has collected yet.
runs() { local state; state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) && [[ -n $state && $state != Z* ]]; }
alive() { local pid; pid=$(cat "$dir/run/$1.pid" 2>/dev/null) && runs "$pid"; }

# wait_for NAME COMMAND...: until COMMAND succeeds; gives up when the program has died or after 60 s.
wait_for() {
  local name=$1 deadline=$((SECONDS + 60)); shift
  until "$@" 2>/dev/null; do
    alive "$name" || { tail -5 "$dir/log/$name.log" >&2; fail "$name ended; its log: $dir/log/$name.log"; }
    [[ $SECONDS -lt $deadline ]] || { tail -5 "$dir/log/$name.log" >&2; fail "$name is not ready after 60 s; its log: $dir/log/$name.log"; }
    read -rt 0.05 <> <(:) || :
  done
}

stop() { # NAME: SIGTERM, then wait; a program that does not drain within 15 s is killed and named
  local pid deadline=$((SECONDS + 15))
  pid=$(cat "$dir/run/$1.pid" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null || { rm -f "$dir/run/$1.pid"; return 0; }
  while runs "$pid"; do
    [[ $SECONDS -lt $deadline ]] || { printf 'stack.sh: %s did not stop: killed\n' "$1" >&2; kill -KILL "$pid"; break; }
    read -rt 0.05 <> <(:) || :
  done
  rm -f "$dir/run/$1.pid" "$dir/run/$1.ready"
}

free_port() { # the first port from $1 that nobody listens on
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

make_redis() { # NAME: configuration and ACL file of one role; passwords are files, the ACL holds their hashes
  local name=$1 account
  for account in $(acl_users "$name"); do
    [[ -s $dir/secrets/$name-$account.pass ]] || random >"$dir/secrets/$name-$account.pass"
  done
  # Off, so nobody can be it, yet with all rights: Redis replays transactions (what scripts wrote) of its append-only file in
  # this user's name, and drops those it has no right to.
  { echo "user default off resetpass ~* &* +@all"
    for account in $(acl_users "$name"); do
      printf 'user %s on sanitize-payload resetchannels #%s %s\n' "$account" \
        "$(tr -d '\n' <"$dir/secrets/$name-$account.pass" | sha256sum | cut -d' ' -f1)" "$(acl_rules "$name" "$account")"
    done; } >"$dir/redis/$name.acl"
  { echo "port 0"; echo "unixsocket $dir/run/$name.sock"; echo "unixsocketperm 700"; echo "dir $dir/redis/$name"
    echo "aclfile $dir/redis/$name.acl"; echo "maxmemory-policy noeviction"; echo "save \"\""; echo "daemonize no"
    if [[ $name == ledger ]]; then echo "appendonly yes"; echo "appendfsync always"; else echo "appendonly no"; fi
  } >"$dir/redis/$name.conf"
  mkdir -p "$dir/redis/$name"
}

acl_users() { [[ $1 == ledger ]] && echo "worker ops recorder admin" || echo "worker ops admin"; }
acl_rules() { # the table of docs/redis.md, section 4
  sed -n "/^\`$1\`:/,/^\`\|^## /p" "$top/docs/redis.md" | sed -n "s/^ *user $2 *… //p"
}

start_redis() { # NAME
  start "$1" redis-server "$dir/redis/$1.conf"
  wait_for "$1" redis_answers "$1"
}

redis_answers() { # NAME: it is there, and done with loading what it had
  [[ $(REDISCLI_AUTH=$(cat "$dir/secrets/$1-admin.pass") redis-cli -s "$dir/run/$1.sock" --user admin ping) == PONG ]]
}

start_broker() {
  start broker "$run_bin/sallyport-broker" --config "$dir/etc/broker.yaml"
  wait_for broker test -s "$dir/run/broker.ready"
}

start_worker() { # N
  start "worker-$1" "$run_bin/sallyport-worker" --config "$dir/etc/worker-$1.yaml" "${settings[@]}"
}

make_keys() {
  "$bin/sallyport" keys init --dir "$dir/keys" >/dev/null
  local n
  for ((n = 1; n <= workers; n++)); do
    "$bin/sallyport" keys new curve "worker-$n" --dir "$dir/keys" >/dev/null
    "$bin/sallyport" keys new sign "worker-$n" --dir "$dir/keys" >/dev/null
    "$bin/sallyport" keys certify worker "worker-$n" --dir "$dir/keys" >/dev/null
    "$bin/sallyport" keys peer "worker-$n" --role worker --peers-dir "$dir/peers" --public "$dir/keys/worker-$n.curve.pub" >/dev/null
  done
  local name
  for name in capture capture-2 ops; do "$bin/sallyport" keys new curve "$name" --dir "$dir/keys" >/dev/null; done
  for name in capture capture-2; do
    "$bin/sallyport" keys peer "$name" --role capture --lanes '*' --peers-dir "$dir/peers" --public "$dir/keys/$name.curve.pub" >/dev/null
  done
  "$bin/sallyport" keys peer ops --role ops --peers-dir "$dir/peers" --public "$dir/keys/ops.curve.pub" >/dev/null
}

store_config() { # ROLE: the stores as this role reaches them
  printf 'durable:\n  address: "unix:%s/run/ledger.sock"\n  user: "%s"\n  password_file: "%s/secrets/ledger-%s.pass"\n' "$dir" "$1" "$dir" "$1"
  [[ $1 == recorder ]] ||
    printf 'galleries:\n  address: "unix:%s/run/galleries.sock"\n  user: "%s"\n  password_file: "%s/secrets/galleries-%s.pass"\n' "$dir" "$1" "$dir" "$1"
}

make_configs() {
  local n name front back
  front=tcp://127.0.0.1:$(free_port $((20000 + RANDOM % 10000))) # by chance, so that two stacks started at once do not meet
  back=tcp://127.0.0.1:$(free_port $((${front##*:} + 1)))
  cat >"$dir/etc/broker.yaml" <<EOF
broker:
  name: "broker-$terminal"
  terminal: "$terminal"
  front: "$front"
  back: "$back"
keys:
  curve: "$dir/keys/broker.curve"
  peers: "$dir/peers"
  authority: "$dir/keys/authority.sign.pub"
  fleet_cert: "$dir/keys/fleet.cert"
time:
  heartbeat_ms: $heartbeat
ready_file: "$dir/run/broker.ready"
EOF
  for ((n = 1; n <= workers; n++)); do
    { cat <<EOF
worker:
  name: "worker-$n"
brokers: "$back"
broker:
  key: "$dir/keys/broker.curve.pub"
keys:
  curve: "$dir/keys/worker-$n.curve"
  fleet: "$dir/keys/fleet.box"
  sign: "$dir/keys/worker-$n.sign"
  cert: "$dir/keys/worker-$n.cert"
  recorder: "$dir/keys/recorder.box.pub"
pack:
  directory: "$run_pack"
ready_file: "$dir/run/worker-$n.ready"
EOF
      store_config worker; } >"$dir/etc/worker-$n.yaml"
  done
  for name in capture capture-2; do # two capture nodes: a key is one connection at a time
    cat >"$dir/etc/$name.yaml" <<EOF
broker:
  address: "$front"
  key: "$dir/keys/broker.curve.pub"
keys:
  curve: "$dir/keys/$name.curve"
  authority: "$dir/keys/authority.sign.pub"
EOF
  done
  { cat <<EOF
broker:
  address: "$front"
  key: "$dir/keys/broker.curve.pub"
keys:
  curve: "$dir/keys/ops.curve"
  ops: "$dir/keys/ops.box"
  fleet: "$dir/keys/fleet.box.pub"
  authority: "$dir/keys/authority.sign.pub"
pack:
  directory: "$pack"
site:
  ports: "$top/deploy/ports.csv"
EOF
    store_config ops; } >"$dir/etc/ops.yaml"
  { cat <<EOF
keys:
  recorder: "$dir/keys/recorder.box"
  authority: "$dir/keys/authority.sign.pub"
EOF
    store_config recorder; } >"$dir/etc/recorder.yaml"
  # Who may see travellers and decisions together (manifest reconcile): the desk's file with the recorder's key and user.
  { sed "s|^  authority:|  recorder: \"$dir/keys/recorder.box\"\n&|" "$dir/etc/ops.yaml"
    printf 'records:\n  user: "recorder"\n  password_file: "%s/secrets/ledger-recorder.pass"\n' "$dir"; } >"$dir/etc/supervisor.yaml"
}

# Where the unprivileged user cannot reach the programs or the pack (a checkout in somebody's home), it gets copies.
run_bin=$bin run_pack=$pack
reach() {
  [[ ${#drop[@]} -gt 0 ]] || return 0
  if [[ -d $dir/programs ]]; then run_bin=$dir/programs
  elif ! "${drop[@]}" test -x "$bin/sallyport-worker"; then
    mkdir -p "$dir/programs"
    cp "$bin"/sallyport-broker "$bin"/sallyport-worker "$dir/programs/"
    [[ ! -e $bin/sallyport_cuda.so ]] || cp "$bin/sallyport_cuda.so" "$dir/programs/"
    chmod -R a+rX "$dir/programs"; run_bin=$dir/programs
  fi
  if [[ -d $dir/pack ]]; then run_pack=$dir/pack
  elif ! "${drop[@]}" test -r "$pack/pack.yaml"; then
    cp -r "$pack" "$dir/pack"; chmod -R a+rX "$dir/pack"; run_pack=$dir/pack
  fi
}

up() {
  [[ -x $bin/sallyport-broker ]] || fail "$bin has no programs: build first (deploy/setup.sh)"
  [[ -s $pack/pack.yaml ]] || fail "$pack has no model pack: make it with 'sallyport model import face-api --output $pack'"
  if alive broker; then fail "a stack runs under $dir already; stack.sh down --dir $dir"; fi
  (umask 077; mkdir -p "$dir"/{keys,peers,secrets,redis,run,etc,log})
  [[ -s $dir/keys/authority.sign.pub ]] || (umask 077; make_keys)
  chmod a+x "$dir"
  reach
  (umask 077; make_redis galleries; make_redis ledger; make_configs)
  [[ ${#drop[@]} == 0 ]] || chown -R "$user:$user" "$dir"/{keys,peers,secrets,redis,run,etc,log}
  start_redis galleries
  start_redis ledger
  "$bin/sallyport" --config "$dir/etc/ops.yaml" site init >/dev/null
  start_broker
  local n
  for ((n = 1; n <= workers; n++)); do start_worker "$n"; done
  for ((n = 1; n <= workers; n++)); do wait_for "worker-$n" test -s "$dir/run/worker-$n.ready"; done
  cat <<EOF
stack: terminal $terminal is up with $workers worker(s) under $dir
  broker   $(sed -n 's/^ *front: "\(.*\)"/\1/p' "$dir/etc/broker.yaml")
  ops      SALLYPORT_CONFIG=$dir/etc/ops.yaml $bin/sallyport lane list
  camera   $bin/sallyport-capture --config $dir/etc/capture.yaml --lane LANE FILE.jpg
  records  SALLYPORT_CONFIG=$dir/etc/recorder.yaml $bin/sallyport records tail
  logs     $dir/log
  stop     deploy/stack.sh down --dir $dir
EOF
}

names() { ls "$dir/run" 2>/dev/null | sed -n 's/\.pid$//p'; }

status() {
  local name down=0
  for name in $(names); do
    if alive "$name"; then printf '%-12s up    pid %s\n' "$name" "$(cat "$dir/run/$name.pid")"
    else printf '%-12s DOWN  log %s\n' "$name" "$dir/log/$name.log"; down=1; fi
  done
  [[ -n $(names) ]] || { echo "nothing runs under $dir"; down=1; }
  return $down
}

down() { # capture side first, stores last
  local name
  for name in broker $(names | grep '^worker-' || :) ledger galleries; do stop "$name"; done
  echo "stack: $dir is down"
}

case $verb in broker|worker) reach ;; esac
case $verb in
  up) up ;;
  status) status ;;
  down) down ;;
  worker) start_worker "${operands[0]:?which worker?}"; wait_for "worker-${operands[0]}" test -s "$dir/run/worker-${operands[0]}.ready" ;;
  broker) start_broker ;;
  redis) start_redis "${operands[0]:?which role?}" ;;
  *) usage ;;
esac
