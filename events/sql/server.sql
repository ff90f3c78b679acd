-- What is asked of the server itself: whether it answers, who asks, what its settings and its catalog say.

-- name: server_answers
-- That the server answers.
SELECT 1

-- name: server_time
-- The server's clock.
SELECT clock_timestamp()

-- name: server_version
-- The server's version, as a number.
SELECT current_setting('server_version_num')

-- name: server_process
-- The process that answers: another one each time where a pooler stands between.
SELECT pg_backend_pid()

-- name: server_port
-- The port that the server listens on; none over a socket.
SELECT inet_server_port()

-- name: server_writes
-- Whether the server is a standby, whether this session takes no writes, and where that was set.
SELECT pg_is_in_recovery(), setting = 'on', source FROM pg_settings WHERE name = 'default_transaction_read_only'

-- name: server_connections
-- How many connections the server takes.
SELECT current_setting('max_connections')

-- name: server_idle
-- How many milliseconds a session may idle in a transaction; 0 is for ever.
SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'

-- name: server_tells_settings
-- Whether this role may read every setting.
SELECT pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')

-- name: server_data
-- The folder of the server's data; for whom may read every setting.
SELECT current_setting('data_directory')

-- name: own_role
-- The role that asks.
SELECT current_user

-- name: own_database
-- The database that is asked.
SELECT current_database()

-- name: is_superuser
-- Whether the role that asks is a superuser.
SELECT rolsuper FROM pg_roles WHERE rolname = current_user

-- name: is_member
-- Whether the role that asks has the rights of another one.
SELECT pg_has_role(current_user, $1::name, 'MEMBER')

-- name: has_right
-- Whether the role that asks has a right on a table.
SELECT has_table_privilege($1::text, $2::text)

-- name: schema_is_there
-- Whether the database has chartwire's schema; asked of the catalog, which everybody may read.
SELECT EXISTS (
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'chartwire' AND relname = 'schema_migration'
)

-- name: events_are_there
-- Whether the database has the table of events.
SELECT to_regclass('chartwire.event') IS NOT NULL

-- name: practices_recorded
-- The practices that have events.
SELECT practice FROM chartwire.practice_head WHERE sequence > 0

-- name: migrations_done
-- The names of the migrations that were applied.
SELECT name FROM chartwire.schema_migration
