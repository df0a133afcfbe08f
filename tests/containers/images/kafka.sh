# As apache/kafka does: KAFKA_NODE_ID becomes node.id.
set -eu
data=/var/lib/kafka/data
env | sed -n 's/^KAFKA_//p' | while IFS='=' read -r name value; do
  echo "$(echo "$name" | tr 'A-Z_' 'a-z.')=$value"
done > /tmp/server.properties
echo "log.dirs=$data/log" >> /tmp/server.properties
jars='/opt/kafka/libs/*'
[ -e $data/log/meta.properties ] || java -cp "$jars" kafka.tools.StorageTool format -t Kk3X0aQ7RyKp0v3y2n9w5A -c /tmp/server.properties
exec java -Xmx512m -cp "$jars" kafka.Kafka /tmp/server.properties
