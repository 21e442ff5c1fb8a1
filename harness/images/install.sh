#!/bin/sh
# install.sh PACKAGE...: install packages of Debian; the services among them are not started.
set -eu

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  # Debian starts what it installs; what is wanted here is started with settings of its own.
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends "$@"
