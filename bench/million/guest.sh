# The first process of the guest: it opens CONNS connections to one server and
# leaves what it saw in WORK. Its header, which sets these variables, is
# written by the command that boots it.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
ip link set lo up
cd "$WORK" || exit 1

sysctl() { echo "$2" > "/proc/sys/$1"; }
sysctl fs/nr_open $((CONNS + 100000))
sysctl fs/file-max $((3 * CONNS + 100000))
sysctl fs/epoll/max_user_watches $((3 * CONNS + 100000))
sysctl net/core/somaxconn 4096
sysctl net/ipv4/ip_local_port_range "1024 65535"
ulimit -n $((CONNS + 50000))

# A line a moment: seconds, sockets that TCP has in use, the server's resident
# KiB, the slab allocator's, and what memory is left. Without a fork: one costs
# the guest more than all these reads.
sample() {
	local rss=0 inuse=0 slab=0 left=0
	while read -r name value _; do [[ $name == VmRSS: ]] && rss=$value; done < "/proc/$server/status"
	while read -r name _ value _; do [[ $name == TCP: ]] && inuse=$value; done < /proc/net/sockstat
	while read -r name value _; do
		case $name in
		Slab:) slab=$value ;;
		MemAvailable:) left=$value ;;
		esac
	done < /proc/meminfo
	echo "$SECONDS $inuse $rss $slab $left"
}

# shellcheck disable=SC2086 # the flags are words
"$ROOST" echo --addr 127.0.0.1:8081 $SERVER_FLAGS > server.out 2> server.err &
server=$!
until (: < /dev/tcp/127.0.0.1/8081) 2> /dev/null; do sleep 0.2; done
while sample; do sleep "$SAMPLE"; done >> samples &
sampler=$!
"$ROOST" loadtest idle ws://127.0.0.1:8081/ --conns "$CONNS" $CLIENT_FLAGS --quiet --json --out report.json 2> client.err
echo "exit $?" > ended
uname -r > kernel
kill "$sampler"
echo o > /proc/sysrq-trigger
sleep 10
