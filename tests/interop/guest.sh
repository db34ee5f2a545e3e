# The first process of the lab's kernel: makes a machine of it, runs the command, powers off.
#
# tests/interop/lab.py writes the variables that are used here, and reads what is left behind:
# $run/ready when the machine is made, $run/status when the command has ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
fail() { echo "the lab: $*" >>"$run/failed"; }

mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 pts /dev/pts
mount -t tmpfs -o mode=755 run /run
ln -sfn /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -sfn "/proc/self/fd/${n%:*}" "/dev/${n#*:}"; done

echo "$modprobe" >/proc/sys/kernel/modprobe # veth, bridge and what else is used on demand
"$modprobe" sctp || fail "modprobe sctp failed"
# SCTP's cookie needs hmac(md5); without it listen() fails with ENOSYS.
"$modprobe" hmac || echo none >/proc/sys/net/sctp/cookie_hmac_alg
"$modprobe" sch_netem || fail "modprobe sch_netem failed"
"$modprobe" sctp_diag # "ss -S" lists SCTP sockets
"$modprobe" dummy numdummies=0

echo lab >/proc/sys/kernel/hostname
echo 1048576 >/proc/sys/fs/nr_open
echo 4096 >/proc/sys/net/core/somaxconn
"$ip" link set lo up multicast on || fail "lo"
"$ip" link add pool0 type dummy && "$ip" link set pool0 up multicast on || fail "pool0"
for a in 1 2 3; do
  "$ip" addr add "10.1.1.$a/24" dev pool0 || fail "10.1.1.$a"
  "$ip" addr add "fd10:1:1::$a/64" dev pool0 nodad || fail "fd10:1:1::$a"
done
"$ip" route add 224.0.0.0/4 dev lo src 10.1.1.1 || fail "the multicast route"
"$ip" -6 route add ff00::/8 dev lo table local metric 1 || fail "the IPv6 multicast route"
ulimit -n 65536
umask "$callmask"

if [ -s "$run/failed" ]; then
  cat "$run/failed"
else
  echo ready >"$run/ready"
  setsid -w bash "$run/command" </dev/null >>"$run/stdout" 2>>"$run/stderr"
  echo $? >"$run/status.new" && mv "$run/status.new" "$run/status"
fi
sync
echo o >/proc/sysrq-trigger # power off, with no halt(8) needed
sleep 5
