-- The console shows how much waits for a row of the maps: what patients wait for is a list beside their documents.
GRANT SELECT ON chartwire.dependency TO chartwire_console;
