#!/bin/sh
# Stands before the engine's own program on kind's PATH. It gives each node what kind has no setting for: the owner's labels, its name and its
# address; and it holds kubeadm back until the lab looks. All else it passes on as it is.
# From the environment: SPRAYLAB_ENGINE, the program; SPRAYLAB_WAY, a folder with
#   nodes   one line per node: its name by kind, its own name, its address, its MAC
#   labels  one argument per line, for what is made
#   node    further arguments for a node, one per line
#   gate    is there once kubeadm may begin
unset SPRAYLAB_PID # the lab's mark: what an engine starts may serve the whole host, and is not the lab's

case "$1 $2" in
  'run --name')
    name=$3
    shift 3
    while read -r by_kind own address mac; do [ "$by_kind" != "$name" ] || break; done < "$SPRAYLAB_WAY/nodes"
    [ "$by_kind" = "$name" ] || { echo "$name is no node of this cell" >&2; exit 1; }
    left=$#
    while [ $left -gt 0 ]; do # one round over all arguments: each goes from the front to the end
      case $1 in
        --hostname) set -- "$@" --hostname "$own"; shift 2; left=$((left - 2)) ;;
        --volume) # kind wants this one on every host; not every host has it
          case $2 in /lib/modules:*) [ -d /lib/modules ] || { shift 2; left=$((left - 2)); continue; } ;; esac
          set -- "$@" "$1"; shift; left=$((left - 1))
          ;;
        *) set -- "$@" "$1"; shift; left=$((left - 1)) ;;
      esac
    done
    while read -r line; do set -- "$line" "$@"; done < "$SPRAYLAB_WAY/labels"
    while read -r line; do set -- "$line" "$@"; done < "$SPRAYLAB_WAY/node"
    exec "$SPRAYLAB_ENGINE" run --name "$name" --ip "$address" --mac-address "$mac" "$@"
    ;;
  'volume create')
    shift 2
    while read -r line; do set -- "$line" "$@"; done < "$SPRAYLAB_WAY/labels"
    exec "$SPRAYLAB_ENGINE" volume create "$@"
    ;;
esac
case " $* " in
  *' kubeadm init '*) until [ -e "$SPRAYLAB_WAY/gate" ]; do [ -d "/proc/$PPID" ] || exit 1; sleep 0.1; done ;;
esac
exec "$SPRAYLAB_ENGINE" "$@"
