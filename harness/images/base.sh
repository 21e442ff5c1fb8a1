#!/bin/bash
# A base image from this machine's own CPython, where no registry can be reached.
#
#   base.sh TAG [PYTHON]     PYTHON: the interpreter to copy (python3); glibc systems only
#
# The image holds CPython at /usr/local, the shared libraries that it and common wheels load, a
# shell with the tools of a Dockerfile's RUN, and the machine's CA bundle for pip. Nothing is made
# when TAG holds this interpreter already.
set -euo pipefail

TAG=${1:?usage: base.sh TAG [PYTHON]}
PYTHON=$(command -v "${2:-python3}")
PREFIX=$("$PYTHON" -c 'import sys; print(sys.base_prefix)')
VERSION=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
IDENTITY=$({ "$PREFIX/bin/python$VERSION" -VV; ldd --version | head -1; cksum <"$0"; cat /etc/ssl/certs/ca-certificates.crt | cksum; } | cksum | tr ' ' -)
LABEL=narration.base.identity

known=$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$TAG" 2>/dev/null || true)
[ "$known" != "$IDENTITY" ] || { echo "base: $TAG holds this machine's CPython $VERSION already" >&2; exit 0; }

ROOT=$(mktemp -d)
trap 'rm -rf "$ROOT"' EXIT
LIB=usr/lib/$(gcc -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")

mkdir -p "$ROOT"/{usr/{bin,sbin,lib,lib64,local/lib},etc/ssl/certs,tmp,var/tmp,root,proc,sys,dev,run,"$LIB"}
chmod 1777 "$ROOT"/tmp "$ROOT"/var/tmp
for name in bin sbin lib lib64; do ln -s "usr/$name" "$ROOT/$name"; done

# CPython finds its prefix from where lib/pythonX.Y/os.py is, so it can be moved.
tar -C "$PREFIX" --exclude=__pycache__ --exclude='*/test' --exclude='*/tests' --exclude='*/idlelib' \
  --exclude='*/config-*' --exclude='lib/libpython*.a' --exclude='lib/python*/site-packages/*' \
  -cf - "bin/python$VERSION" bin/python3 "lib/python$VERSION" \
  $(cd "$PREFIX" && ls -d lib/libpython* 2>/dev/null | grep -v '\.a$' || true) |
  tar -C "$ROOT/usr/local" -xf -
cp -a "$PREFIX/lib/python$VERSION/site-packages"/{pip,pip-*} "$ROOT/usr/local/lib/python$VERSION/site-packages/"
ln -sf python3 "$ROOT/usr/local/bin/python"

for tool in bash sh ls cat cp mv rm mkdir rmdir ln chmod chown env id sleep date echo head tail grep \
  sed true false uname tar gzip mktemp touch stat getent ldconfig find sort tr wc test dirname \
  basename cut awk xargs; do
  path=$(type -P "$tool" || true)
  case $path in /*) cp -L "$path" "$ROOT/usr/bin/$tool" ;; esac
done

needed() {
  find "$ROOT/usr/bin" "$ROOT/usr/local" -type f \( -perm -u+x -o -name '*.so*' \) -print0 |
    LD_LIBRARY_PATH=$PREFIX/lib xargs -0 -n64 ldd 2>/dev/null |
    grep -oE '(=> )?/[^ ]+' | sed 's/^=> //' | grep -E '\.so|/ld-' |
    grep -v -e "^$ROOT" -e "^$PREFIX" | sort -u
  # Wheels load stubs of libc6 by name (libdl.so.2, libpthread.so.0) that ldd does not show.
  dpkg -L libc6 | grep -E "/$(basename "$LIB")/[^/]+\.so(\.|$)"
  ls "/$LIB"/libnss_{dns,files}.so.2 "/$LIB"/{libgcc_s.so.1,libstdc++.so.6,libgomp.so.1} 2>/dev/null || true
}
for library in $(needed); do
  case $library in
    *ld-linux*) cp -L "$library" "$ROOT/usr/lib64/" ;;
    *) cp -L "$library" "$ROOT/$LIB/" ;;
  esac
done
printf '/usr/local/lib\n/%s\n' "$LIB" >"$ROOT/etc/ld.so.conf"
ldconfig -r "$ROOT"

cp -L /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
ln -s certs/ca-certificates.crt "$ROOT/etc/ssl/cert.pem"
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n' >"$ROOT/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$ROOT/etc/group"
echo 'hosts: files dns' >"$ROOT/etc/nsswitch.conf"
cp -L /etc/os-release "$ROOT/etc/os-release"

tar -C "$ROOT" -cf - . | docker import \
  --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8' \
  --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
  --change 'CMD ["python3"]' \
  --change "LABEL $LABEL=$IDENTITY" \
  - "$TAG" >/dev/null
echo "base: made $TAG from CPython $VERSION of this machine" >&2
