"""The collector's store: tables, migrations, and one small class for each kind of row."""
