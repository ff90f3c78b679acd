#!/bin/sh
# One node of Apache Kafka (KRaft) in the foreground, on loopback: for tests and for trying out. Several nodes: deploy/README.md.
#
#   run.sh resolve                         fetch the jars only
#   run.sh DATA PORT CONTROLLER_PORT       run; DATA is formatted when it is empty, and kept
#
# Needs Java 17 and Maven. The jars lie in ${XDG_CACHE_HOME:-~/.cache}/chartwire/kafka/VERSION; KAFKA_HEAP sets the heap (512m).
# The script becomes the broker (exec): stop it by its process id.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
jars="${XDG_CACHE_HOME:-$HOME/.cache}/chartwire/kafka/$version"

if ! [ -f "$jars/.complete" ]; then
    mkdir -p "$jars"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" >&2
    touch "$jars/.complete"
fi
[ "${1:-}" != resolve ] || exit 0

if [ $# -ne 3 ]; then
    echo "usage: run.sh resolve | run.sh DATA PORT CONTROLLER_PORT" >&2
    exit 2
fi
data=$1 port=$2 controller=$3

mkdir -p "$data"
properties="$data/server.properties"
cat >"$properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$data/log
auto.create.topics.enable=false
message.max.bytes=8388608
num.network.threads=2
num.io.threads=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
EOF

log="-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG:-warn}"
if ! [ -f "$data/log/meta.properties" ]; then
    # One node of its own: the cluster's id need not differ from another's.
    java -Xmx128m -XX:TieredStopAtLevel=1 -cp "$jars/*" "$log" kafka.tools.StorageTool format \
        -t chartwire-local-kafkaA -c "$properties" >&2
fi
exec java -Xmx"${KAFKA_HEAP:-512m}" -XX:TieredStopAtLevel=1 -Djava.awt.headless=true \
    -cp "$jars/*" "$log" -Dorg.slf4j.simpleLogger.showDateTime=true kafka.Kafka "$properties"
