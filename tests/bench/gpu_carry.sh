#!/usr/bin/env bash
# Fills a folder with what gpu.sh needs on a machine that has a compiler, CMake and the CUDA toolkit but none of our
# packages and no network: libraries, headers and tools of this machine's Debian packages, redis-server, the model package,
# other models, and faces. At most 60 MB.
#   tests/bench/gpu_carry.sh DIR [--faces N] [--bin BIN]
# BIN: programs built here with oneDNN; their f32 results for the faces travel too (default build/release/bin).
# Test data is $SALLYPORT_TEST_DATA, by default ../shared/data. The machines' architectures must agree.
set -euo pipefail
cd "$(dirname "$0")/../.."
faces=150 bin=build/release/bin dir=
while [[ $# -gt 0 ]]; do
  case $1 in
    --faces) faces=${2:?}; shift 2 ;;
    --bin) bin=${2:?}; shift 2 ;;
    -h|--help) sed -n '2,8p' "$0"; exit 0 ;;
    *) dir=$1; shift ;;
  esac
done
[[ $dir ]] || { sed -n '2,8p' "$0" >&2; exit 2; }
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }
data=${SALLYPORT_TEST_DATA:-$(cd .. && pwd)/shared/data}
modules=(libzmq msgpack hiredis libsodium yaml-0.1 libturbojpeg libjpeg libpng libprotobuf-c cmocka libmicrohttpd libopenjp2 jansson libxml-2.0)
packages=(libzmq3-dev libmsgpack-dev libhiredis-dev libsodium-dev libyaml-dev libturbojpeg0-dev libjpeg62-turbo-dev
  libpng-dev libprotobuf-c-dev libcmocka-dev libmicrohttpd-dev libopenjp2-7-dev libjansson-dev libxml2-dev)
root=$dir/sysroot
rm -rf "$root" "$dir/data"
mkdir -p "$root"/{include,lib,bin,libexec,pkgconfig} "$dir/data"

# The C library and the compiler's own come from the machine that runs them. ICU's tables (31 MB) stay here: libxml2 asks
# for them only where a document is in neither UTF-8, UTF-16 nor Latin-1, and nothing of a GPU run is.
theirs='^(ld-linux.*|libc|libm|libdl|libpthread|librt|libresolv|libgcc_s|libstdc\+\+|linux-vdso)\.so'
carry_libraries_of() { # FILE...: what they need, by name
  local name path
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' | sort -u | while read -r name path; do
    if [[ $name =~ ^libicudata\.so\.([0-9]+)$ ]]; then
      printf 'const struct { double alignment; char zeros[64]; } icudt%s_dat;\n' "${BASH_REMATCH[1]}" |
        gcc -shared -fPIC "-Wl,-soname,$name" -x c - -o "$root/lib/$name"
    elif [[ ! $name =~ $theirs ]]; then cp -Ln "$path" "$root/lib/$name"; fi
  done
}

for i in "${!modules[@]}"; do
  module=${modules[i]}
  pkg-config --exists "$module" || fail "pkg-config knows no $module; run deploy/setup.sh --tests first"
  # Headers: those that the package holds, below include/ without the machine's name.
  dpkg -L "${packages[i]}" | grep -E '^/usr/include/.*\.(h|hpp)$' | while read -r header; do
    [[ $header == *.hpp || $header == */msgpack/*/* ]] && continue
    to=$root/include/${header#/usr/include/}; to=${to/"$(gcc -dumpmachine)"\//}
    mkdir -p "${to%/*}"; cp -L "$header" "$to"
  done
  libs=
  for flag in $(pkg-config --libs-only-l "$module"); do
    path=$(gcc -print-file-name="lib${flag#-l}.so")
    [[ $path == /* ]] || fail "no shared library for $flag of $module"
    cp -L "$path" "$root/lib/lib${flag#-l}.so"
    soname=$(objdump -p "$path" | awk '$1 == "SONAME" {print $2}')
    [[ $soname ]] && ln -sf "lib${flag#-l}.so" "$root/lib/$soname"
    carry_libraries_of "$path"
    libs+=" $flag"
  done
  flags=; for word in $(pkg-config --cflags-only-I "$module"); do
    [[ $word == -I/usr/include/* && -d $root/include/${word#-I/usr/include/} ]] && flags+=" -I\${root}/include/${word#-I/usr/include/}"
  done
  printf 'root=${pcfiledir}/..\nName: %s\nDescription: carried\nVersion: %s\nLibs: -L${root}/lib%s\nCflags: -I${root}/include%s\n' \
    "$module" "$(pkg-config --modversion "$module")" "$libs" "$flags" >"$root/pkgconfig/$module.pc"
done
mkdir -p "$root/include/msgpack" "$root/include/onnx"
cp -rL /usr/include/msgpack/*.h "$root/include/msgpack/"; cp -L /usr/include/msgpack.h "$root/include/"
cp -L /usr/include/onnx/onnx.proto "$root/include/onnx/"
# The tools see the carried libraries by themselves, so that nobody who calls one has to.
# And what those headers include themselves, of packages that nobody named (libxml2's want ICU's).
flags=$(pkg-config --cflags-only-I "${modules[@]}")
git ls-files '*.c' '*.h' | xargs grep -hoE '^#include <[a-zA-Z0-9_/.-]+>' | sort -u | while read -r line; do
  # shellcheck disable=SC2086
  gcc -M -x c $flags - <<<"$line" 2>/dev/null | grep -oE '/usr/include/[^ \\]+' || :
done | sort -u | while read -r header; do
  to=${header#/usr/include/}; to=$root/include/${to#"$(gcc -dumpmachine)"/}
  [[ -e $to || $(dpkg -S "$header") =~ ^(libc6-dev|linux-libc-dev)[:,] ]] || { mkdir -p "${to%/*}"; cp -L "$header" "$to"; }
done
for tool in redis-server redis-cli pkgconf; do
  path=$(command -v "$tool") || fail "$tool is not installed here"
  cp -L "$path" "$root/libexec/$tool"; carry_libraries_of "$path"
  cat >"$root/bin/$tool" <<'SCRIPT'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/..
LD_LIBRARY_PATH=$here/lib exec "$here/libexec/${0##*/}" "$@"
SCRIPT
  chmod +x "$root/bin/$tool"
done
strip --strip-unneeded "$root"/libexec/* "$root"/lib/*.so* 2>/dev/null || :
# The compiler of the one .proto file and its libraries are 6 MB: what it makes of that file travels instead.
mkdir -p "$root/share"
protoc-c --proto_path=/usr/include/onnx --c_out="$root/share" onnx.proto || fail "protoc-c cannot read onnx.proto"
cat >"$root/bin/protoc-c" <<'SCRIPT'
#!/bin/sh
for word; do case $word in --c_out=*) to=${word#--c_out=} ;; esac; done
cp "$(dirname "$0")"/../share/onnx.pb-c.[ch] "${to:?no --c_out}/"
SCRIPT
chmod +x "$root/bin/protoc-c"

# The default pack travels as the npm package, and is converted there.
(cd "$dir/data" && npm pack --ignore-scripts --silent @vladmandic/face-api@1.7.15 >/dev/null) || fail "npm could not fetch the model package"
[[ -d $data/faces ]] && { mkdir -p "$dir/data/faces"; find "$data/faces" -name '*.jpg' | sort | head -"$faces" | xargs -I{} cp {} "$dir/data/faces/"; }
[[ -d $data/models ]] && { mkdir -p "$dir/data/models"; find "$data/models" -type f -size -12M ! -name 'antispoof*' -exec cp {} "$dir/data/models/" \; ; }
[[ -f $data/dlib_mean_face_shape.csv ]] && cp "$data/dlib_mean_face_shape.csv" "$dir/data/"
if [[ -x $bin/faces_compare && -d $dir/data/faces ]]; then
  "$bin/sallyport" model import face-api --package "$dir"/data/vladmandic-face-api-1.7.15.tgz -o "$dir/pack.here" >&2
  "$bin/faces_compare" --backend cpu --write "$dir/data/faces.f32" "$dir/pack.here" "$dir/data/faces" >&2
  rm -rf "$dir/pack.here"
else
  say "no $bin/faces_compare: the f32 results are made where gpu.sh runs, which takes minutes"
fi
chmod -R u+w "$dir"
newest() { objdump -T "$root"/libexec/* "$root"/lib/*.so* 2>/dev/null | grep -oE "\b$1_[0-9.]+" | sort -uV | tail -1; }
say "the machine that runs them needs $(newest GLIBC) and $(newest GLIBCXX), or newer"
mb=$(du -sm --apparent-size "$dir" | cut -f1)
say "$dir holds $mb MB: $(du -sm --apparent-size "$root" | cut -f1) of packages, $(du -sm --apparent-size "$dir/data" | cut -f1) of data"
[[ $mb -le 60 ]] || fail "that is over 60 MB: take fewer faces (--faces) or models"
