-- A session's own temporary types and tables are looked for before the server's, unless a search path says where they come: so a type
-- named as one of the server's ran as the owner within `record_access`, and a table of that name told the guards who owns the schema.
-- Every function of ours says it.
ALTER FUNCTION chartwire_console.framed(text) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire_console.record_access(text, text, text, text, text, text) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire.owns_schema() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire.guard_events() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire.guard_heads() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire.guard_formats() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION chartwire.drop_row() SET search_path = pg_catalog, pg_temp;
