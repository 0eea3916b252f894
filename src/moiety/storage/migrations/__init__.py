"""The history of the schema; `versions/` is read in order by Alembic."""
