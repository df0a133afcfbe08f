# As the official image does: a database of POSTGRES_DB for POSTGRES_USER, made at the first start.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/data/db
if [ ! -e $data/PG_VERSION ]; then
  mkdir -p $data && chown -R postgres $data
  echo "$POSTGRES_PASSWORD" > /tmp/password && chmod 644 /tmp/password
  su postgres -c "$bin/initdb -D $data -U $POSTGRES_USER --pwfile=/tmp/password --auth=scram-sha-256 > /dev/null"
  echo "host all all all scram-sha-256" >> $data/pg_hba.conf
  su postgres -c "$bin/pg_ctl -D $data -w -o '-c listen_addresses=' start > /dev/null"
  su postgres -c "PGPASSWORD=$POSTGRES_PASSWORD $bin/createdb -U $POSTGRES_USER $POSTGRES_DB" || true
  su postgres -c "$bin/pg_ctl -D $data -w stop > /dev/null"
fi
ln -sf $bin/pg_isready /usr/local/bin/pg_isready
exec su postgres -c "exec $bin/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp"
