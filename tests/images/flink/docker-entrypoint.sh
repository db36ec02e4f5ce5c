#!/bin/sh
# As the official image's, as far as tests use it: roles by name, any other command as it is, and root becomes flink.
case "$1" in
  help) echo "jobmanager|taskmanager|COMMAND"; exit 0 ;;
  jobmanager|taskmanager) role=$1; shift; set -- "$FLINK_HOME/bin/$role.sh" start-foreground "$@" ;;
esac
if [ "$(id -u)" = 0 ]; then set -- setpriv --reuid=flink --regid=flink --clear-groups "$@"; fi
exec "$@"
