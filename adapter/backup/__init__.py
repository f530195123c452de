"""A copy of one database in a file, and the database from it again (docs/backup.md).

`copy` writes what `store.whole` reads as of one moment, `archive` is what is in the file, `seal` that none of it was changed, lost, or
read by others; `restore` puts it back. `carried` says what of a database is worth a copy.
"""
